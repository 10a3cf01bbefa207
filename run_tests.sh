#!/usr/bin/env bash
# Sets up and runs all tests; arguments go to pytest (./run_tests.sh -m "not slow" for the quick ones).
set -euo pipefail
repo="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$repo/setup_virtualenv.sh"
cd "$repo"
ruff check .
ruff format --check .
exec python -m pytest "$@"

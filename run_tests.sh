#!/usr/bin/env bash
# Sets up and runs all tests; arguments go to pytest (./run_tests.sh -m "not slow" for the quick ones).
set -euo pipefail
if [[ ${1:-} == --help || ${1:-} == -h ]]; then sed -n '2s/^# //p' "${BASH_SOURCE[0]}"; exit; fi
repo="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$repo/setup_virtualenv.sh"
cd "$repo"
# Without these libraries (no network) the tests of imports and exports are skipped with a note.
extras="$repo/requirements-tests.txt" installed="$repo/.venv/requirements-tests.installed" log="$repo/.venv/pip-tests.log"
if ! cmp -s "$extras" "$installed"; then
  { python -m pip install --quiet --disable-pip-version-check --retries 1 -r "$extras" >"$log" 2>&1 && cp "$extras" "$installed"; } \
    || echo "run_tests.sh: pip could not install requirements-tests.txt, so some tests are skipped (details: $log)" >&2
fi
ruff check .
ruff format --check .
[[ $# -gt 0 ]] || set -- -n 2 --dist loadfile --no-loadscope-reorder  # all tests: in two processes
exec python -m pytest "$@"

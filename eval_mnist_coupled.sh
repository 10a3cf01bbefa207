#!/usr/bin/env bash
# Scores a snapshot of run_mnist_coupled.sh (the latest, or --snapshot=PREFIX).
set -euo pipefail
repo="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$repo/setup_virtualenv.sh"
exec python -m scripts.eval_mnist --snapshot="$repo/checkpoints/mnist_coupled" "$@"

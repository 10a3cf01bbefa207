#!/usr/bin/env bash
# Scores a snapshot of run_mnist.sh (the latest, or --snapshot=PREFIX): accuracies, t-SNE picture, JSON.
set -euo pipefail
repo="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$repo/setup_virtualenv.sh"
exec python -m scripts.eval_mnist --snapshot="$repo/checkpoints/mnist" "$@"

#!/usr/bin/env bash
# Scores a snapshot of run_tetrominoes.sh (the latest, or --snapshot=PREFIX): ARI, MSE, KL, or what --eval_type says.
set -euo pipefail
repo="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$repo/setup_virtualenv.sh"
exec python -m scripts.eval_emorl --snapshot="$repo/checkpoints/tetrominoes" "$@"

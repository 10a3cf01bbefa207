#!/usr/bin/env bash
# GIFs of the ten most active latents of each slot, from a snapshot of run_tetrominoes.sh (or --snapshot=PREFIX).
set -euo pipefail
repo="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$repo/setup_virtualenv.sh"
exec python -m scripts.eval_emorl --snapshot="$repo/checkpoints/tetrominoes" --eval_type=make_gifs "$@"

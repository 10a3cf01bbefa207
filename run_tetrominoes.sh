#!/usr/bin/env bash
# Trains EfficientMORL as the paper does on tetrominoes; flags given here override configs/tetrominoes.flags.
set -euo pipefail
repo="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$repo/setup_virtualenv.sh"
exec python -m scripts.train_emorl --flagfile="$repo/configs/tetrominoes.flags" --logdir="$repo/checkpoints/{name}" "$@"

#!/usr/bin/env bash
# Trains EfficientMORL as the paper does on multi_dsprites; flags given here override configs/multi_dsprites.flags.
set -euo pipefail
repo="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$repo/setup_virtualenv.sh"
exec python -m scripts.train_emorl --flagfile="$repo/configs/multi_dsprites.flags" --logdir="$repo/checkpoints/{name}" "$@"

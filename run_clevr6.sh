#!/usr/bin/env bash
# Trains EfficientMORL as the paper does on clevr6; flags given here override configs/clevr6.flags.
set -euo pipefail
repo="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$repo/setup_virtualenv.sh"
exec python -m scripts.train_emorl --flagfile="$repo/configs/clevr6.flags" --logdir="$repo/checkpoints/{name}" "$@"

#!/usr/bin/env bash
# Trains the constellation autoencoder; flags given here override configs/constellation.flags.
set -euo pipefail
repo="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$repo/setup_virtualenv.sh"
exec python -m scripts.train --flagfile="$repo/configs/constellation.flags" --logdir="$repo/checkpoints/{name}" "$@"

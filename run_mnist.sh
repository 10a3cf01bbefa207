#!/usr/bin/env bash
# Trains SCAE on 40x40 MNIST, as the paper's released script does; flags given here override configs/mnist.flags.
set -euo pipefail
repo="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$repo/setup_virtualenv.sh"
exec python -m scripts.train --flagfile="$repo/configs/mnist.flags" --logdir="$repo/checkpoints/{name}" "$@"

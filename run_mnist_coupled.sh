#!/usr/bin/env bash
# Trains SCAE on 40x40 MNIST with mixing proportions tied to the templates; flags given here override the config.
set -euo pipefail
repo="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$repo/setup_virtualenv.sh"
exec python -m scripts.train --flagfile="$repo/configs/mnist_coupled.flags" --logdir="$repo/checkpoints/{name}" "$@"

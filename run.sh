#!/usr/bin/env bash
# SCAE end to end on scikit-learn's digits, which need no download: trains, scores the snapshot, draws pictures.
# Flags go to the training, behind configs/digits.flags.
set -euo pipefail
repo="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$repo/setup_virtualenv.sh"
name=digits
logdir="$repo/checkpoints/{name}"
for flag in "$@"; do
  case "$flag" in
    --name=*) name="${flag#*=}" ;;
    --logdir=*) logdir="${flag#*=}" ;;
  esac
done
python -m scripts.train --flagfile="$repo/configs/digits.flags" --logdir="$logdir" "$@"
folder="${logdir//\{name\}/$name}"
python -m scripts.eval_mnist --snapshot="$folder"
echo "pictures: $folder/plots, scores: $folder/eval"

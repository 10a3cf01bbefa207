#!/usr/bin/env bash
# SCAE end to end on scikit-learn's digits, which need no download: trains, scores the snapshot, draws pictures.
# Flags go to training, after those of configs/digits.flags.
set -euo pipefail
repo="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$repo/setup_virtualenv.sh"
name=digits
logdir="$repo/checkpoints/{name}"
previous=
for flag in "$@"; do
  case "$previous" in
    --name) flag="--name=$flag" ;;
    --logdir) flag="--logdir=$flag" ;;
  esac
  case "$flag" in
    --name=*) name="${flag#*=}" ;;
    --logdir=*) logdir="${flag#*=}" ;;
  esac
  case "$flag" in
    -h | -help | --help | --helpshort | --helpfull) # of the training, whose flags these are
      exec python -m scripts.train --flagfile="$repo/configs/digits.flags" "$@" ;;
  esac
  previous="$flag"
done
python -m scripts.train --flagfile="$repo/configs/digits.flags" --logdir="$logdir" "$@"
folder="${logdir//\{name\}/$name}"
python -m scripts.eval_mnist --snapshot="$folder"
echo "report: $folder/report.html, pictures: $folder/plots, scores: $folder/eval"

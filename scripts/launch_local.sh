#!/usr/bin/env bash
# Starts N workers of one training on this machine: scripts/launch_local.sh N command...
#   scripts/launch_local.sh 2 ./run_mnist.sh --strategy=multi_worker --data_dir=DIR
# Each line that a worker prints begins with its number. Ctrl-C goes to each worker once. If one fails, the
# others have GRACE_SECONDS (40) to end by themselves; then they are stopped. The exit code is that of the first
# that failed. GPUs are divided evenly, unless CUDA_VISIBLE_DEVICES is set.
set -uo pipefail
if [[ ${1:-} == --help || ${1:-} == -h ]]; then sed -n '2,6s/^# //p' "${BASH_SOURCE[0]}"; exit; fi
fail() { echo "launch_local.sh: $*" >&2; exit 1; }
[[ ${1:-} =~ ^[1-9][0-9]*$ && $# -ge 2 ]] || fail "call it as launch_local.sh N command..., with N workers"
n=$1; shift
grace=${GRACE_SECONDS:-40}

python="$(command -v python3 || command -v python)" || fail "python3 is missing"
addresses="$("$python" - "$n" <<'PYTHON'
import json, socket, sys
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(json.dumps([f"127.0.0.1:{s.getsockname()[1]}" for s in sockets]))
PYTHON
)" || fail "finds no free ports"

gpus=0
[[ -v CUDA_VISIBLE_DEVICES ]] || gpus="$(nvidia-smi --list-gpus 2>/dev/null | grep -c '^GPU ')"
((gpus % n == 0)) || fail "$n workers cannot share $gpus GPUs evenly: set CUDA_VISIBLE_DEVICES, to -1 for none"

running=()  # process numbers by the workers' numbers
signal_all() { local pid; for pid in ${running[@]+"${running[@]}"}; do kill "-$1" -- "-$pid" 2>/dev/null; done; }
trap 'signal_all INT' INT
trap 'signal_all TERM' TERM HUP

worker() {
  export TF_CONFIG="{\"cluster\": {\"worker\": $addresses}, \"task\": {\"type\": \"worker\", \"index\": $1}}"
  if ((gpus)); then
    CUDA_VISIBLE_DEVICES="$(seq -s, $((gpus / n * $1)) $((gpus / n * ($1 + 1) - 1)))"
    export CUDA_VISIBLE_DEVICES
  fi
  trap - INT TERM HUP
  exec "${@:2}" </dev/null
}

printers=()
for ((i = 0; i < n; i++)); do
  exec {out}> >(trap '' INT TERM HUP; exec sed -u "s/^/[$i] /"); printers+=($!)
  exec {err}> >(trap '' INT TERM HUP; exec sed -u "s/^/[$i] /" >&2); printers+=($!)
  set -m  # a process group of its own, which a terminal's Ctrl-C reaches only through us
  worker "$i" "$@" >&"$out" 2>&"$err" &
  set +m
  running[i]=$!
  exec {out}>&- {err}>&-
done

exec {tell}>&2 2>/dev/null  # on standard error bash would report each process that is killed
code=0 signals=(TERM KILL) deadline=
while ((${#running[@]})); do
  for i in "${!running[@]}"; do
    kill -0 "${running[i]}" 2>/dev/null && continue
    wait "${running[i]}"; ended=$?
    unset "running[i]"
    if ((ended && !code)); then
      echo "launch_local.sh: worker $i ended with code $ended" >&"$tell"
      code=$ended deadline=$((SECONDS + grace))
    fi
  done
  if [[ -n $deadline ]] && ((SECONDS >= deadline && ${#signals[@]})); then
    signal_all "${signals[0]}"
    signals=("${signals[@]:1}") deadline=$((SECONDS + grace))
  fi
  sleep 0.2
done
wait "${printers[@]}"
exit "$code"

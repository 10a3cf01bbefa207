"""The launcher of workers on one machine, with commands that only show what they are given."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

LAUNCHER = Path(__file__).parents[2] / "scripts" / "launch_local.sh"
INDEX = 'i=${TF_CONFIG##*index\\": }; i=${i%%\\}*};'  # a worker's own number


def start(*arguments, **environment):
    environment = {"GRACE_SECONDS": "1", "CUDA_VISIBLE_DEVICES": "-1", **environment}
    return subprocess.Popen(
        [LAUNCHER, *map(str, arguments)],
        env={**{k: v for k, v in os.environ.items() if k != "TF_CONFIG"}, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # tests started in the background ignore it, and no shell can trap what it ignored at its start
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def run(*arguments, **environment):
    with start(*arguments, **environment) as process:
        stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, stderr


def test_every_worker_has_its_place_in_one_cluster():
    code, stdout, stderr = run(3, "bash", "-c", 'echo "$TF_CONFIG"; echo "a  b $0" >&2', "c d")
    assert code == 0
    configs = {line[:3]: json.loads(line[4:]) for line in stdout.splitlines()}
    assert configs.keys() == {"[0]", "[1]", "[2]"}
    assert all(name == f"[{config['task']['index']}]" for name, config in configs.items())
    (cluster,) = {json.dumps(config["cluster"]) for config in configs.values()}
    addresses = json.loads(cluster)["worker"]
    assert len(set(addresses)) == 3
    assert all(address.startswith("127.0.0.1:") for address in addresses)
    assert sorted(stderr.splitlines()) == [f"[{i}] a  b c d" for i in range(3)]


def test_where_one_fails_the_others_are_stopped():
    wait = "for k in {1..300}; do sleep 0.1; done"
    others, stubborn = f"trap 'echo stopped; exit 9' TERM; {wait}", f"trap '' TERM; {wait}"
    begun = time.monotonic()
    code, stdout, stderr = run(
        3, "bash", "-c", f"{INDEX} case $i in 0) {others};; 1) exit 7;; 2) {stubborn};; esac"
    )
    assert time.monotonic() - begun < 20
    assert code == 7
    assert stdout == "[0] stopped\n"
    own = [line for line in stderr.splitlines() if not line.startswith("[")]  # other lines are the workers'
    assert own == ["launch_local.sh: worker 1 ended with code 7"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_every_worker_once(number):
    name = number.name.removeprefix("SIG")
    work = (
        f"n=0; trap '((n++))' {name}; echo ready; for k in {{1..20}}; do sleep 0.1; done; exit $((128 + n))"
    )
    with start(2, "bash", "-c", work) as process:
        for _ in range(2):
            assert process.stdout.readline().endswith("ready\n")
        time.sleep(0.3)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
    assert stdout == ""
    assert process.returncode == 129, stderr


def test_gpus_are_shared_out(tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/bash\nfor i in 0 1 2 3; do echo "GPU $i: a card"; done\n')
    tool.chmod(0o755)
    show = 'env -u CUDA_VISIBLE_DEVICES PATH="$0:$PATH" "$@"'
    command = ["bash", "-c", show, tmp_path, LAUNCHER]
    for n, shares in ((2, ["[0] 0,1", "[1] 2,3"]), (4, ["[0] 0", "[1] 1", "[2] 2", "[3] 3"])):
        shown = [*command, str(n), "bash", "-c", "echo $CUDA_VISIBLE_DEVICES"]
        ended = subprocess.run(shown, capture_output=True, text=True, check=True)
        assert sorted(ended.stdout.splitlines()) == shares
    ended = subprocess.run([*command, "3", "true"], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "3 workers cannot share 4 GPUs evenly" in ended.stderr


@pytest.mark.parametrize("arguments", [(), (2,), ("two", "true"), (0, "true")])
def test_wrong_calls(arguments):
    code, stdout, stderr = run(*arguments)
    assert (code, stdout) == (1, "")
    assert stderr == "launch_local.sh: call it as launch_local.sh N command..., with N workers\n"

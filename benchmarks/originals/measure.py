"""Measures the original programs on this machine, to compare them with this code base.

    git clone https://github.com/pemami4911/EfficientMORL
    python3.11 -m venv original_emorl
    original_emorl/bin/pip install -r benchmarks/originals/requirements_emorl.txt
    original_emorl/bin/python benchmarks/originals/measure.py --emorl=EfficientMORL --json=originals.json

    git clone https://github.com/akosiorek/stacked_capsule_autoencoders
    python3.11 -m venv original_scae
    original_scae/bin/pip install -r benchmarks/originals/requirements_scae.txt
    original_scae/bin/pip install --no-deps dm-sonnet==1.36
    original_scae/bin/python benchmarks/originals/measure.py --json=originals.json \
        --scae=stacked_capsule_autoencoders

    python -m benchmarks.run --case=all --compare=originals.json

Needs nothing from this package. The cases, and what is timed, are those of `benchmarks.run`: data in memory,
float32, the median call; the last column of its table is then this code base over the original.
"""

import argparse
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

#: case -> the module beside this one that makes a call of it
CASES = {
    "scae_mnist_train": "scae",
    "scae_mnist_infer": "scae",
    "scae_constellation_train": "scae",
    "emorl_tetrominoes_train": "emorl",
    "emorl_tetrominoes_infer": "emorl",
    "emorl_clevr6_train": "emorl",
    "emorl_clevr6_infer": "emorl",
}
_WARM_UP_CALLS = 3
_MIN_CALLS = 5


def main(arguments: argparse.Namespace) -> None:
    """Measures every case in a process of its own and writes their numbers."""
    if arguments.case:
        print("\n" + json.dumps(measured(arguments.case, arguments)))
        return
    path = Path(arguments.json)
    numbers = json.loads(path.read_text()) if path.exists() else {}  # of the other original
    for case, module in CASES.items():
        if getattr(arguments, module):
            command = [sys.executable, *sys.argv, f"--case={case}"]
            # the messages of Sonnet 1 were generated for an older protobuf
            environment = os.environ | {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}
            ended = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
            if ended.returncode:
                sys.exit(f"error: {case} failed: {ended.stderr.strip()}")
            numbers[case] = json.loads(ended.stdout.splitlines()[-1])
            print(f"{case}: {numbers[case]['examples_per_s']:.4g} examples/s", flush=True)
    path.write_text(json.dumps(numbers, indent=2))


def measured(case: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Times calls; the rate is of the median one."""
    module = importlib.import_module(CASES[case])
    call, batch_size = module.workload(case, str(Path(getattr(arguments, CASES[case])).resolve()))
    calls = []
    while len(calls) < _WARM_UP_CALLS + _MIN_CALLS or sum(calls[_WARM_UP_CALLS:]) < arguments.seconds:
        start = time.perf_counter()
        call()
        calls.append(time.perf_counter() - start)
    return {
        "examples_per_s": batch_size / statistics.median(calls[_WARM_UP_CALLS:]),
        "batch_size": batch_size,
        "calls": len(calls) - _WARM_UP_CALLS,
        "first_call_s": calls[0],
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--emorl", help="checkout of EfficientMORL")
    parser.add_argument("--scae", help="checkout of the folder stacked_capsule_autoencoders")
    parser.add_argument("--json", required=True, help="where to write the numbers")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long each is measured")
    parser.add_argument("--case", choices=CASES, help="one case, in this process, and nothing written")
    main(parser.parse_args())

"""Mistakes on the command line end as one line and exit code 1; run as users run it, in processes."""

import json
import subprocess
import sys

import pytest

# Forks a process per command line, so that TensorFlow is imported once.
PROGRAM = """
import json, os, signal, sys
from scripts import command_line
from absl import flags
from protocols import UserError

flags.DEFINE_integer("count", 3, "A number.")
flags.DEFINE_enum("do", "nothing", ["nothing", "fail", "interrupt", "crash", "hint"], "What to do.")
flags.DEFINE_string("name", None, "Required.")
flags.mark_flag_as_required("name")

def main(_):
    match flags.FLAGS.do:
        case "fail":
            raise UserError("two\\nlines")
        case "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
        case "hint":
            raise KeyboardInterrupt("stopped after step 3")
        case "crash":
            raise RuntimeError("a defect")

results = []
for i, arguments in enumerate(json.loads(sys.argv[2])):
    path = f"{sys.argv[1]}/{i}"
    child = os.fork()
    if child == 0:
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), 2)
        sys.argv = ["program", *arguments]
        command_line.run(main)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    results.append((code, open(path).read()))
print(json.dumps(results))
"""
CASES = {
    "fail": (["--name=a", "--do=fail"], 1, "error: two lines\n"),
    "unknown": (
        ["--name=a", "--coumt=4"],
        1,
        "error: Unknown command line flag 'coumt'",
    ),
    "type": (["--name=a", "--count=four"], 1, "error: flag --count=four: "),
    "required": ([], 1, "error: flag --name=None: "),
    "positional": (["--name=a", "count=4"], 1, "error: 'count=4' is no flag: flags look like --name=value\n"),
    "binary_file": ([f"--flagfile={sys.executable}"], 1, "error: a --flagfile is no text file\n"),
    "absent_file": (["--flagfile=/absent"], 1, "error: "),
    "interrupt": (["--name=a", "--do=interrupt"], 130, "interrupted; start the same command again"),
    "hint": (["--name=a", "--do=hint"], 130, "stopped after step 3\n"),
    "success": (["--name=a", "--count=4"], 0, ""),
    "defect": (["--name=a", "--do=crash"], 1, "Traceback"),  # not the user's mistake: all is shown
}


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    lines = json.dumps([arguments for arguments, _, _ in CASES.values()])
    command = [sys.executable, "-c", PROGRAM, str(tmp_path_factory.mktemp("errors")), lines]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return dict(zip(CASES, json.loads(run.stdout), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_one_line_and_an_exit_code(case, ended):
    _, code, message = CASES[case]
    assert ended[case][0] == code
    assert ended[case][1].startswith(message)
    if message and case != "defect":
        assert ended[case][1].count("\n") == 1

"""Mistakes on the command line end as one line and exit code 1; run as users run it, in processes."""

import json
import subprocess
import sys

import pytest

# Forks a process per command line, so that TensorFlow is imported once.
PROGRAM = """
import gc, json, os, signal, sys
from scripts import entry_point
import tensorflow as tf
from absl import flags
from discovery import UserError

flags.DEFINE_integer("count", 3, "A number.")
flags.DEFINE_float("rate", 3.0, "A number.")
flags.DEFINE_string("do", "nothing", "What to do.")
flags.DEFINE_string("name", None, "Required.")
flags.mark_flag_as_required("name")

def generator():
    yield 1
    raise UserError("a.h5: row 7 is damaged;\\nmend it")

def checked(x):
    with tf.control_dependencies([tf.debugging.Assert(x < 1, ["a.h5: too many; mend it"])]):
        return tf.identity(x)

# As at a terminal: a process in the background inherits that SIGINT is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

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
        case "data":
            data = tf.data.Dataset.from_generator(generator, output_signature=tf.TensorSpec([], tf.int32))
            iterator = iter(data.map(lambda x: x + 1).prefetch(2))
            step = tf.function(lambda: iterator.get_next())
            [step() for _ in range(3)]
        case "records":
            list(tf.data.TFRecordDataset(sys.executable))
        case "records_in_graph":
            iterator = iter(tf.data.TFRecordDataset(sys.executable))
            tf.function(lambda: iterator.get_next())()
        case "check":
            list(tf.data.Dataset.range(3).map(checked))
        case "check_in_graph":
            iterator = iter(tf.data.Dataset.range(3).map(checked).batch(2))
            tf.function(lambda: iterator.get_next())()
        case "absent_records":
            list(tf.data.TFRecordDataset("/absent.tfrecord"))
        case "crash_in_data":
            list(tf.data.Dataset.range(3).map(lambda x: tf.ensure_shape(tf.range(x), [1])))
        case "crash_in_graph":
            tf.function(lambda n: tf.ensure_shape(tf.range(n), [2]))(tf.constant(3))

results = []
gc.freeze()
for i, arguments in enumerate(json.loads(sys.argv[2])):
    path = f"{sys.argv[1]}/{i}"
    child = os.fork()
    if child == 0:
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), 2)
        sys.argv = ["program", *arguments]
        entry_point.run(main)
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
    "type": (["--name=a", "--count=four"], 1, "error: flag --count=four: give a whole number\n"),
    "text_for_a_number": (["--name=a", "--rate=fast"], 1, "error: flag --rate=fast: give a number\n"),
    "infinite": (["--name=a", "--rate=inf"], 1, "error: flag --rate=inf: give a finite number\n"),
    "data": (["--name=a", "--do=data"], 1, "error: a.h5: row 7 is damaged; mend it\n"),
    "records": (["--name=a", "--do=records"], 1, "error: the data cannot be read: corrupted record at 0"),
    "records_in_graph": (
        ["--name=a", "--do=records_in_graph"],
        1,
        "error: the data cannot be read: corrupted record at 0",
    ),
    "check": (["--name=a", "--do=check"], 1, "error: a.h5: too many; mend it\n"),
    "check_in_graph": (["--name=a", "--do=check_in_graph"], 1, "error: a.h5: too many; mend it\n"),
    "absent_records": (["--name=a", "--do=absent_records"], 1, "error: the data cannot be read: /absent.tf"),
    "required": ([], 1, "error: flag --name=None: "),
    "positional": (["--name=a", "count=4"], 1, "error: 'count=4' is not a flag: expected --name=value\n"),
    "binary_file": ([f"--flagfile={sys.executable}"], 1, "error: a --flagfile is not a text file\n"),
    "absent_file": (["--flagfile=/absent"], 1, "error: --flagfile=/absent: there is no such file\n"),
    "interrupt": (["--name=a", "--do=interrupt"], 130, "interrupted; start the same command again"),
    "hint": (["--name=a", "--do=hint"], 130, "stopped after step 3\n"),
    "success": (["--name=a", "--count=4"], 0, ""),
    # Not the user's mistakes: all is shown.
    "defect": (["--name=a", "--do=crash"], 1, "Traceback"),
    "defect_in_data": (["--name=a", "--do=crash_in_data"], 1, "Traceback"),
    "defect_in_graph": (["--name=a", "--do=crash_in_graph"], 1, "Traceback"),
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
    if message and message != "Traceback":
        assert ended[case][1].count("\n") == 1

"""`--help` and mistakes in flags are answered at once: without TensorFlow, and by every script."""

import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
SCRIPTS = sorted(p.stem for p in (REPO / "scripts").glob("*.py") if "entry_point.run(" in p.read_text())
#: Flags that are defined outside of a script's file, or whose defaults are; and topics.
SHOWN = {
    "train": [
        "The run\n",
        "--name=... ",
        "--batch_size=32 ",
        "--plot=false ",
        "Part capsules\n",
        "--lr=0.0001 ",
    ],
    "train_emorl": ["--K=4 ", "--input_size=3,64,64 ", "--plot=true ", "GECO\n", "--out_dir= ", "--ema=0.0 "],
    "eval_mnist": ["Evaluation\n", "--snapshot= ", "--seed=0 ", "--tsne_figure_name=tsne.png "],
    "eval_emorl": ["--eval_type=ARI_MSE_KL ", "<ARI_MSE_KL|sample_viz|", "--geco_ema_alpha=0.99 "],
}


def at_once(*arguments):
    """Runs a command; it must not import TensorFlow, nor take a second of processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", *arguments],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert not re.search(r"\| +(tensorflow|keras)$", ended.stderr, re.MULTILINE)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0
    told = [line for line in ended.stderr.splitlines() if not line.startswith("import time:")]
    return ended.returncode, ended.stdout, "\n".join(told)


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_lists_the_flags_of_the_script(script):
    code, shown, told = at_once(f"scripts.{script}", "--help")
    assert (code, told) == (0, "")
    source = (REPO / "scripts" / f"{script}.py").read_text()
    assert shown.startswith(re.match(r'"""(.*)', source)[1])
    defined = re.findall(r'(?:DEFINE_\w+|define_path)\([\s*(]*"(\w+)"', source)
    assert defined or script in SHOWN
    for words in [*(f"\n  --{name}=" for name in defined), *SHOWN.get(script, [])]:
        assert words in shown
    assert "--logtostderr" not in shown  # a library's


def test_help_shows_what_the_command_sets():
    model = ("--model=emorl", "--K=7", "--nouse_geco")
    code, shown, _ = at_once("scripts.convert_checkpoint", *model, "--help")
    assert code == 0
    for words in (
        "--source= ",
        "Number of slots. (this command: 7)",
        "--use_geco=true ",
        "(this command: false)",
    ):
        assert words in shown


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            "train --name=a --bach_size=4",
            "error: Unknown command line flag 'bach_size'. Did you mean: batch_size ?",
        ),
        ("train --name=a --batch_size=four", "error: flag --batch_size=four: "),
        (
            "train --name=a --dataset=mnits",
            "error: --dataset=mnits: there is no such data set; choose one of mnist,",
        ),
        ("train --name=a --model=slots", "error: --model=slots: there is no such model"),
        ("train_emorl --name=a --K=0", "error: K must be an integer of at least 1, not 0."),
        ("train_emorl --name=a --refinement_curriculum=3", "error: --refinement_curriculum=3: "),
        ("eval_mnist", "error: --snapshot is missing: "),
        (
            "export_model --snapshot=a --out=b --formats=pb",
            "error: --formats=pb: choose from keras, saved_model, onnx",
        ),
        ("convert_checkpoint --model=scae --source=a", "error: --out is missing: "),
    ],
)
def test_mistakes_in_flags(command, words):
    code, shown, told = at_once(*f"scripts.{command}".split())
    assert (code, shown) == (1, "")
    assert told.startswith(words)
    assert told.count("\n") == 0

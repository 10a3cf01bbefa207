"""oneDNN is on where a model of scenes is used, and left as it is where only SCAE is."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]


def setting(code, **environment):
    """What TensorFlow finds when it is imported after some code has run."""
    inherited = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    code += "; import os; print(os.environ.get('TF_ENABLE_ONEDNN_OPTS'))"
    command = [sys.executable, "-c", code]
    return subprocess.check_output(command, cwd=REPO, env=inherited | environment, text=True).strip()


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="another processor")
def test_only_models_of_scenes_turn_it_on():
    for code in ("import scripts.train_emorl", "import scripts.eval_emorl", "import emorl; emorl.build"):
        assert setting(code) == "1"
    assert setting(code, TF_ENABLE_ONEDNN_OPTS="0") == "0"
    registry = "from discovery.experiments import experiments; experiments()"
    for module in ("scripts.train", "scripts.eval_mnist"):
        assert setting(f"import {module}; {registry}") == "None"
    assert setting("import stacked_capsules; stacked_capsules.build") == "None"

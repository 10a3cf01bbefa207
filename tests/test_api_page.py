"""CONTRIBUTING.md's command makes the API page of the docstrings."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
[COMMAND] = re.findall(r"^xargs python.*pdoc.*$", (REPO / "CONTRIBUTING.md").read_text(), re.MULTILINE)


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("pdoc"), reason="the API page needs the extra [docs]")
def test_api_page(tmp_path):
    assert "-o build/api" in COMMAND
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = COMMAND.replace("build/api", str(tmp_path))
    ended = subprocess.run(
        ["bash", "-c", command], cwd=REPO, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    for module in (REPO / "docs" / "api_modules.txt").read_text().split():
        assert (tmp_path / f"{module.replace('.', '/')}.html").exists()
    page = (tmp_path / "stacked_capsules.html").read_text()
    for name in ("build", "load_run", "load_pretrained", "__version__"):
        assert f'id="{name}"' in page
    assert "Builds the model of a configuration, with initial weights." in page
    assert 'id="EfficientMORL.encode"' in (tmp_path / "emorl" / "efficient_morl.html").read_text()

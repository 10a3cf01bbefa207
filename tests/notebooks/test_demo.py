"""The notebook runs from start to end, and what is stored of it is small and tells nothing of a machine."""

import os
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

REPO = Path(__file__).parents[2]
PATH = REPO / "notebooks" / "demo.ipynb"
SHORT = "STEPS, BATCH_SIZE, N_SCORED, RUN = 4, 2, 4, ''"


@pytest.mark.slow
def test_it_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", f"{REPO}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    notebook = nbformat.read(PATH, as_version=4)
    (parameters,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    assert {name for name, _ in re.findall(r"^(\w+) = (.*)$", parameters.source, re.MULTILINE)} == set(
        SHORT.split(" = ")[0].split(", ")
    )
    parameters.source = SHORT
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert re.search(r"ARI: -?[\d.]+", printed)
    assert "the same slots: True" in printed
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 5
    assert not list(tmp_path.iterdir())


def test_what_is_stored_is_small_and_tells_of_no_machine():
    text = PATH.read_text(encoding="utf-8")
    assert len(text) < 300_000
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not re.search(r"/(home|root|work|tmp|Users)/|site-packages", text)
    for cell in cells:
        assert all(output.get("name") != "stderr" for output in cell.outputs)

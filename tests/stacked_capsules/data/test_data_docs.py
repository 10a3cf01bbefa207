"""What docs/data.md shows works, and what it claims about sizes is so."""

import re
from pathlib import Path

from stacked_capsules.data import DATASETS

DOCS = (Path(__file__).parents[3] / "docs" / "data.md").read_text()


def test_snippets_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    snippets = re.findall(r"^```python\n(.*?)^```", DOCS, re.DOTALL | re.MULTILINE)
    assert snippets
    for snippet in snippets:
        exec(compile(snippet, "docs/data.md", "exec"), {})


def test_every_data_set_has_its_row():
    assert sorted(re.findall(r"^\| `(\w+)` \|", DOCS, re.MULTILINE)) == sorted(DATASETS)

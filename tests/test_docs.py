"""README and docs/: links lead somewhere, snippets run, tables name what there is."""

import re
from pathlib import Path

import pytest

import emorl.data
import stacked_capsules.data
from discovery.flag_files import options_of, read_config
from stacked_capsules.configuration import SCAEConfig
from stacked_capsules.seeded_models import make_scae
from tests.written_runs import write_run

REPO = Path(__file__).parents[1]
PAGES = [
    *(REPO / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG")),
    *sorted((REPO / "docs").glob("*.md")),
]

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def first_column(page):
    return re.findall(r"^\| `(\w+)` \|", (REPO / "docs" / page).read_text(), re.MULTILINE)


@every_page
def test_links_and_files_are_there(page):
    text = page.read_text()
    for link in re.findall(r"\]\(([^)#][^)]*?)\)", text):
        if not link.startswith("http"):
            assert (page.parent / link.split("#")[0]).exists(), link
    folders = "docs|configs|tests|emorl|stacked_capsules|discovery|benchmarks|scripts|notebooks"
    for path in re.findall(rf"`((?:{folders})/[\w/.]*)`", text):
        assert (REPO / path).exists(), path
    for script in re.findall(r"\./(\w+\.sh)", text):
        assert (REPO / script).exists(), script
    for module in re.findall(r"python -m ((?:scripts|benchmarks)\.\w+)", text):
        assert (REPO / f"{module.replace('.', '/')}.py").exists(), module


@every_page
def test_snippets_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "checkpoints/digits" in page.read_text():  # what ./run.sh makes
        config = options_of(SCAEConfig, read_config("digits", {"scae": SCAEConfig}))
        write_run(tmp_path / "checkpoints/digits", "scae", config, make_scae(config))
    for snippet in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        exec(compile(snippet, page.name, "exec"), {})


def test_the_changes_of_this_version_are_told():
    first, *_ = re.findall(r"^## (\S+), ", (REPO / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first == emorl.__version__


def test_every_data_set_has_its_row():
    assert sorted(first_column("data.md")) == sorted([*stacked_capsules.data.DATASETS, *emorl.data.DATASETS])


def test_every_evaluation_has_its_row():
    source = (REPO / "scripts" / "eval_emorl.py").read_text()
    assert first_column("evaluation.md") == re.findall(r'^    "(\w+)": Evaluation\(', source, re.MULTILINE)

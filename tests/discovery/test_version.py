"""One version for all packages, whether they are a checkout, installed, or only copied."""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import emorl
import stacked_capsules
from discovery import version

REPO = Path(__file__).parents[2]


def test_a_checkout_has_that_of_pyproject():
    stated = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]["version"]
    assert emorl.__version__ == stacked_capsules.__version__ == stated


@pytest.mark.parametrize("beside", [None, '[project]\nname = "another"\nversion = "7"\n', "[tool.ruff]\n"])
def test_without_a_checkout(tmp_path, monkeypatch, beside):
    monkeypatch.setattr(version, "__file__", str(tmp_path / "discovery" / "version.py"))
    if beside is not None:
        (tmp_path / "pyproject.toml").write_text(beside)
    monkeypatch.setattr(metadata, "version", {"unsupervised-object-discovery": "3.2"}.__getitem__)
    assert version.version() == "3.2"

    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    assert version.version() == "unknown"

"""Packages are imported without TensorFlow, and have their public names all the same."""

import importlib
import subprocess
import sys
from types import ModuleType

import pytest

import emorl.data.loading
import stacked_capsules.data.loading

PACKAGES = ("protocols", "stacked_capsules", "stacked_capsules.data", "emorl", "emorl.data")


@pytest.mark.parametrize("name", PACKAGES)
def test_public_names_are_there(name):
    package = importlib.import_module(name)
    assert set(package.__all__) <= set(dir(package))
    for public in package.__all__:
        value = getattr(package, public)
        assert not isinstance(value, ModuleType)
        assert getattr(package, public) is value
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'lod'"):
        package.lod  # noqa: B018


def test_importing_them_imports_no_tensorflow():
    configurations = ("emorl.configuration", "stacked_capsules.configuration", "training.train_config")
    code = f"import sys, {', '.join((*PACKAGES, *configurations))}; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_names_that_need_no_tensorflow_are_those_that_can_be_loaded():
    images = stacked_capsules.data.loading.IMAGE_SETS
    assert set(stacked_capsules.data.DATASETS) == {*images, "constellation"}
    assert set(emorl.data.GENERATED) == set(emorl.data.GENERATORS)

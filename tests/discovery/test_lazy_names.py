"""Packages are imported without TensorFlow, and have their public names all the same."""

import importlib
import os
import subprocess
import sys
from types import ModuleType

import pytest

import emorl.data.loading
import stacked_capsules.data.loading
from discovery.experiments import experiments, function
from discovery.imported_state import OriginalProgram

PACKAGES = ("discovery", "stacked_capsules", "stacked_capsules.data", "emorl", "emorl.data")


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


def test_modules_are_attributes_without_an_import_of_their_own():
    names = "s.configuration.SCAEConfig, s.data.loading.load, emorl.named_models.Model"
    code = f"import emorl, stacked_capsules as s; {names}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_them_imports_no_tensorflow():
    configurations = (
        "emorl.configuration",
        "stacked_capsules.configuration",
        "discovery.training.train_config",
    )
    code = f"import sys, {', '.join((*PACKAGES, *configurations))}; emorl.__version__, dir(emorl)"
    code += "; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "code",
    [
        "import stacked_capsules; stacked_capsules.build('digits', n_part_caps=2, n_obj_caps=2)",
        "import emorl, keras; keras.ops.ones(3)",
    ],
)
def test_tensorflow_is_silent(code):
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    assert ended.stdout + ended.stderr == ""


def test_errors_of_an_import_are_not_silenced(tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('a library is missing')\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    code = "import emorl; emorl.build('tetrominoes')"
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.stderr.endswith("ImportError: a library is missing\n")


def test_functions_that_are_named_are_there():
    named = [*stacked_capsules.data.config.IMAGE_SETS.values(), *emorl.data.GENERATED.values()]
    for kind in experiments().values():
        named += [kind.maker, kind.recipe, kind.plots, *filter(None, [kind.after_restoring])]
        assert kind.imports is None or isinstance(function(kind.imports), OriginalProgram)
    assert all(callable(function(name)) for name in named)

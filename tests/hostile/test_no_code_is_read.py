"""Nothing that is read can run: no pickle, no eval, nothing unsafe is switched on."""

import ast
import re
from pathlib import Path

import keras
import pytest

REPO = Path(__file__).parents[2]
FILES = [
    path
    for folder in ("discovery", "stacked_capsules", "emorl", "scripts", "benchmarks", "tests", "notebooks")
    for path in sorted((REPO / folder).rglob("*.py"))
]
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
#: Calls, and the keyword that they must, or must not, have.
MUST = {"torch.load": ("weights_only", True)}
MUST_NOT = {"allow_pickle": True, "safe_mode": False, "weights_only": False, "shell": True}
NEVER = {"eval", "exec", "enable_unsafe_deserialization"}


def name_of(node):
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def mistakes(tree):
    for node in ast.walk(tree):
        imported = []
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            imported = [node.module or "", *(alias.name for alias in node.names)]
        yield from (f"line {node.lineno} imports {n}" for n in imported if n.split(".")[0] in MODULES)
        if not isinstance(node, ast.Call):
            continue
        name = name_of(node.func)
        given = {k.arg: k.value.value for k in node.keywords if isinstance(k.value, ast.Constant)}
        if name.rpartition(".")[2] in NEVER:
            yield f"line {node.lineno} calls {name}"
        if name in MUST and given.get(MUST[name][0]) != MUST[name][1]:
            yield f"line {node.lineno} calls {name} without {MUST[name]}"
        for key, value in MUST_NOT.items():
            if key in given and given[key] == value:
                yield f"line {node.lineno} calls {name} with {key}={value}"


def test_no_file_opens_a_door():
    assert len(FILES) > 100
    found = [f"{p.relative_to(REPO)}: {m}" for p in FILES for m in mistakes(ast.parse(p.read_text()))]
    assert [f for f in found if not re.match(r"tests/test_docs.py: line \d+ calls exec", f)] == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "from sklearn.externals import joblib",
        "np.load(p, allow_pickle=True)",
        "torch.load(p)",
        "torch.load(p, weights_only=False)",
        "keras.saving.load_model(p, safe_mode=False)",
        "keras.config.enable_unsafe_deserialization()",
        "eval(text)",
    ],
)
def test_doors_are_noticed(source):
    assert len(list(mistakes(ast.parse(source)))) >= 1


def test_a_keras_file_with_code_is_refused(tmp_path):
    """Safe mode is Keras's default, and nothing here switches it off."""
    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Lambda(lambda x: x + 1)])
    model.save(tmp_path / "a.keras")
    with pytest.raises(ValueError, match="lambda"):
        keras.saving.load_model(tmp_path / "a.keras")

"""docs/equations.md: every row names a function, whose docstring has that equation."""

import ast
import re
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
TEXT = (REPO / "docs" / "equations.md").read_text()
#: The lines of both tables, without their heads.
LINES = [line for line in TEXT.splitlines() if re.match(r"\| (?!paper )", line)]
#: What readers search for, and the file that a search has to end in.
SOUGHT = {
    "image likelihood": "stacked_capsules/pixel_mixture.py",
    "mixing": "stacked_capsules/pixel_mixture.py",
    "vote": "stacked_capsules/object_capsules.py",
    "part likelihood": "stacked_capsules/vote_likelihood.py",
    "posterior presence": "stacked_capsules/image_autoencoder.py",
    "sparsity": "stacked_capsules/sparsity.py",
    "hierarchical prior": "emorl/prior.py",
    "reversed prior++": "emorl/efficient_morl.py",
    "refinement loss": "emorl/efficient_morl.py",
    "DualGRU": "emorl/dual_gru.py",
    "GECO": "emorl/geco.py",
}


def row(line):
    """Label, what it is, equation, file, function or method, and differences."""
    label, what, equation, where, differs = re.split(r"(?<!\\)\|", line)[1:-1]
    shown, linked, name = re.fullmatch(r" \[`(.+)`\]\(\.\./(.+)\): `(.+)` ", where).groups()
    assert shown == linked
    return label.strip(), what.strip(), equation.strip(" `").replace("\\|", "|"), shown, name, differs


def docstring(path, name):
    """That of a function or of a class's method."""
    node = ast.parse((REPO / path).read_text())
    for part in name.split("."):
        found = [x for x in node.body if isinstance(x, ast.FunctionDef | ast.ClassDef) and x.name == part]
        assert found, f"{path} has no {name}"
        node = found[0]
    return ast.get_docstring(node)


@pytest.mark.parametrize("line", LINES, ids=lambda line: "-".join(line.split(" | ")[:2]).strip("| "))
def test_every_equation_is_in_the_docstring_of_its_function(line):
    label, what, equation, path, name, _ = row(line)
    assert f"{label}, {what}: {equation}." in " ".join(docstring(path, name).split())


def test_both_systems_have_their_equations():
    labels = [row(line)[0] for line in LINES]
    assert sum(label.startswith("SCAE, section 2.") for label in labels) >= 23
    numbers = {n for label in labels if label.startswith("EMORL, Eq") for n in re.findall(r"\d+", label)}
    assert numbers == {str(n) for n in range(1, 14)}


def test_differences_are_rows_of_the_page_on_fidelity():
    fidelity = (REPO / "docs" / "fidelity.md").read_text()
    known = set(re.findall(r"^\| ([SE]\d+) \|", fidelity, re.MULTILINE))
    assert {name for line in LINES for name in re.findall(r"\b[SE]\d+\b", row(line)[-1])} <= known


@pytest.mark.parametrize("words", SOUGHT)
def test_a_search_ends_in_the_right_file(words):
    found = [(path, name) for _, what, _, path, name, _ in map(row, LINES) if words in what]
    assert SOUGHT[words] in [path for path, _ in found]
    for path, name in found:  # on one line, as a search goes by lines
        assert any(words in line for line in docstring(path, name).splitlines())

"""docs/equations.md: every row names a function, whose docstring has that equation."""

import ast
import re
from pathlib import Path

REPO = Path(__file__).parents[1]


def docstring(path, name):
    """That of a function or of a class's method, as one line."""
    node = ast.parse((REPO / path).read_text())
    for part in name.split("."):
        [node] = [x for x in node.body if isinstance(x, ast.FunctionDef | ast.ClassDef) and x.name == part]
    return " ".join(ast.get_docstring(node).split())


def test_every_equation_is_in_the_docstring_of_its_function():
    text = (REPO / "docs" / "equations.md").read_text()
    rows = re.findall(r"^\| (.+?) \| (.+?) \| `(.+)` \| \[`(.+?)`\]\(.+?\): `(.+?)` \|", text, re.MULTILINE)
    assert len(rows) >= 30
    for label, what, equation, path, name in rows:
        equation = equation.replace("\\|", "|")  # as cells of tables have it
        assert f"{label}, {what}: {equation}." in docstring(path, name), (path, name)
    known = set(re.findall(r"^\| ([SE]\d+) \|", (REPO / "docs" / "fidelity.md").read_text(), re.MULTILINE))
    assert set(re.findall(r"\b[SE]\d+\b", text)) <= known


def test_what_people_search_for_is_there():
    text = (REPO / "docs" / "equations.md").read_text()
    for words in (
        *("image likelihood", "part likelihood", "vote", "sparsity", "posterior presence", "mixing"),
        *("reversed prior++", "hierarchical prior", "refinement loss", "GECO", "DualGRU"),
    ):
        assert words in text

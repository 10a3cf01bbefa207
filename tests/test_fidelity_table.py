"""docs/fidelity.md: every row names tests, and they are there."""

import re
from pathlib import Path

REPO = Path(__file__).parents[1]


def test_every_row_names_tests_that_exist():
    rows = re.findall(r"^\| ([SE]\d+) \|(.*)\|$", (REPO / "docs" / "fidelity.md").read_text(), re.MULTILINE)
    for system, n in (("S", 37), ("E", 22)):
        numbers = [int(name[1:]) for name, _ in rows if name.startswith(system)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) >= n
    present = {path.name for path in (REPO / "tests").rglob("test_*.py")}
    for name, row in rows:
        named = set(re.findall(r"`(test_\w+\.py)`", row.rsplit("|", 1)[-1]))
        assert named, f"{name} names no test"
        assert named <= present, f"{name} names {named - present}"

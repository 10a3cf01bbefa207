"""The one list of layers and models that have to pass `test_conformance.py`."""

from __future__ import annotations

from tests.conformance import emorl_cases, stacked_capsules_cases
from tests.conformance.case import Case

#: Packages whose layers and models all have a case.
PACKAGES = ("stacked_capsules", "emorl")

CASES: dict[str, Case] = {case.name: case for case in [*stacked_capsules_cases.CASES, *emorl_cases.CASES]}

"""Which package has which model, for users who ask one of them for what the other has."""

from __future__ import annotations

#: What `--model` may be -> the package that has it.
PACKAGES = {
    **dict.fromkeys(("scae", "constellation"), "stacked_capsules"),
    **dict.fromkeys(("EfficientMORL", "SlotAttention"), "emorl"),
}


def of_the_other(model: str, function: str) -> str:
    """Returns what to add to an error about a model of the other package: which function takes it."""
    return f": {PACKAGES[model]}.{function} takes it" if model in PACKAGES else ""

"""How many refinement steps to take at which training step: `--refinement_curriculum=-1:3,100000:1`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from discovery import UserError


def refinement_curriculum(stages: Sequence[str]) -> Callable[[int], int]:
    """Returns a function from the training step to the number of refinement steps.

    Args:
        stages: "step:number" each, with the steps in ascending order; the first must not be above 0.

    Raises:
        UserError: a stage is not such a pair, the steps are out of order, or a number is negative.
    """
    flag = f"--refinement_curriculum={','.join(stages)}"
    try:
        pairs = [(int(step), int(number)) for step, number in (stage.split(":") for stage in stages)]
    except ValueError:
        raise UserError(f"{flag}: give pairs step:number, such as -1:3,100000:1") from None
    steps = [step for step, _ in pairs]
    if not steps or steps[0] > 0 or steps != sorted(set(steps)):
        raise UserError(f"{flag}: the steps must ascend, and the first must be 0 or -1")
    if any(number < 0 for _, number in pairs):
        raise UserError(f"{flag}: a number of refinement steps must not be negative")

    def at(step: int) -> int:
        return next(number for start, number in reversed(pairs) if step >= start)

    return at

"""Learning options that all models share."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from discovery import UserError
from discovery.options import check_options, option

if TYPE_CHECKING:
    from discovery.training.schedules import Schedule


@dataclass(frozen=True)
class LearningOptions:
    """A learning rate that falls at the end.

    Raises:
        UserError: an option is out of range, or the fall has a beginning or a depth but no length.
    """

    cosine_from: int = option(
        0, "With --cosine_steps: the step where the fall begins.", topic="Learning rate", least=0
    )
    cosine_steps: int = option(
        0, "Steps over which the learning rate falls by half a cosine; 0: none.", least=0
    )
    cosine_to: float = option(0.02, "Factor of the learning rate after it.", least=0, most=1)

    def __post_init__(self):
        check_options(self)
        for name in () if self.cosine_steps else ("cosine_from", "cosine_to"):
            [default] = [field.default for field in fields(self) if field.name == name]
            if getattr(self, name) != default:
                raise UserError(
                    f"--{name}={getattr(self, name)}: give --cosine_steps too, the length of the fall"
                )

    def with_fall(self, schedule: Schedule) -> Schedule:
        """Returns a schedule with the fall, where there is one."""
        from discovery.training.schedules import CosineFall

        if not self.cosine_steps:
            return schedule
        return CosineFall(schedule, self.cosine_from, self.cosine_steps, self.cosine_to)

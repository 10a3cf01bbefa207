"""How SCAE and constellation models learn: the original's options, and some that make them learn sooner."""

from __future__ import annotations

from dataclasses import dataclass

from discovery import UserError
from discovery.options import option
from discovery.training.learning_options import LearningOptions


@dataclass(frozen=True)
class SCAETraining(LearningOptions):
    """Learning rates, clipping, and which capsules learn when.

    Raises:
        UserError: an option is out of range, or some contradict each other.
    """

    lr: float = option(1e-4, "Learning rate.", topic="Learning rate", least=0)
    use_lr_schedule: bool = option(True, "Multiplies it by 0.96 every 10,000 steps, continuously.")
    part_lr: float = option(
        0.0, "Learning rate of the part encoder and decoder; 0: same as --lr; images only.", least=0
    )
    optimizer: str = option("rmsprop", "The optimizer.", topic="Training", choices=("rmsprop", "adam"))
    rmsprop_start: float = option(
        1.0,
        "Mean square of the gradients that RMSProp starts from: 1 as TensorFlow 1, 0 as Keras.",
        least=0,
        later=True,
    )
    grad_value_clip: float = option(0.0, "Bound on each element of the gradients; 0: none.", least=0)
    grad_norm_clip: float = option(
        0.0, "Bound on their norm per square root of the number of parameters; 0: none.", least=0
    )
    objects_from: int = option(
        0,
        "Step at which object capsules start to learn; until then parts learn alone; images only.",
        least=0,
    )
    parts_until: int = option(
        0,
        "Step at which parts stop learning, after their learning rate has decayed over the second half; from "
        "then on objects learn alone, in steps several times as fast; 0: never; images only.",
        least=0,
    )

    def __post_init__(self):
        super().__post_init__()
        if self.part_lr and not self.lr:
            raise UserError(f"--part_lr={self.part_lr}: it is set relative to --lr, which must not be 0")
        if self.parts_until and self.objects_from > self.parts_until:
            raise UserError(
                f"--objects_from={self.objects_from} --parts_until={self.parts_until}: nothing would learn "
                f"in between; set --objects_from to at most {self.parts_until}"
            )

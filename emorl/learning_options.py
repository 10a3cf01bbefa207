"""How EfficientMORL and Slot Attention learn: the original's options of `training.*`."""

from __future__ import annotations

from dataclasses import dataclass

from discovery.options import option
from discovery.training.learning_options import LearningOptions
from emorl.refinement_curriculum import refinement_curriculum


@dataclass(frozen=True)
class EMORLTraining(LearningOptions):
    """Learning rates, clipping, and how often slots are refined at which step.

    Raises:
        UserError: an option is out of range, or the curriculum is invalid.
    """

    lr: float = option(3e-4, "Learning rate of Adam.", topic="Learning rate", least=0)
    use_scheduler: bool = option(False, "Warms up the learning rate, then lets it decay.")
    warmup: int = option(10_000, "Number of warm-up steps.", least=1)
    decay_rate: float = option(0.5, "Factor of the learning rate after --decay_steps.", least=0)
    decay_steps: int = option(100_000, "Steps over which it decays by that factor.", least=1)
    clip_grad_norm: bool = option(True, "Clips the gradients' global norm to 5.", topic="Training")
    refinement_curriculum: tuple[str, ...] = option(
        ("-1:3", "100000:1", "200000:1"), "Refinement steps from a training step on; EfficientMORL only."
    )

    def __post_init__(self):
        super().__post_init__()
        refinement_curriculum(self.refinement_curriculum)

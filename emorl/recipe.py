"""How EfficientMORL, Slot Attention and the VAE learn: optimizer, learning rate, clipping, refinements."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from discovery import TrainableModel
from discovery.training.gradient_clipping import Clipping
from discovery.training.optimization import Optimization
from discovery.training.optimizers import Adam
from discovery.training.schedules import Constant, WarmUpAndDecay
from emorl.efficient_morl import EfficientMORL
from emorl.learning_options import EMORLTraining
from emorl.refinement_curriculum import refinement_curriculum


def recipe(model: TrainableModel, options: EMORLTraining, batch_size: int) -> Optimization:
    """Returns a model's training recipe.

    Args:
        model: built.
        options: the chosen options.
        batch_size: number of examples in a global batch; nothing here depends on it.
    """
    del batch_size
    scheduled = WarmUpAndDecay(options.lr, options.warmup, options.decay_rate, options.decay_steps)
    iterations_at = refinement_curriculum(options.refinement_curriculum)
    refined = isinstance(model, EfficientMORL)
    return Optimization(
        optimizer=Adam(),
        schedule=options.with_fall(scheduled if options.use_scheduler else Constant(options.lr)),
        # As PyTorch clips: the norm itself is the bound, and the margin keeps the quotient finite.
        clipping=Clipping(
            norm=5.0 if options.clip_grad_norm else 0.0, norm_per_parameter=False, norm_margin=1e-6
        ),
        options_at=lambda step: {"refinement_iters": iterations_at(step)} if refined else {},
    )


def refine_as_trained(model: EfficientMORL, flags: Mapping[str, str], step: int) -> None:
    """Makes a restored model refine as often as at the end of its training.

    Args:
        model: its `config` is changed.
        flags: of its run.
        step: number of steps it was trained for.
    """
    if "refinement_curriculum" in flags:
        iterations_at = refinement_curriculum(flags["refinement_curriculum"].split(","))
        model.config = dataclasses.replace(model.config, refinement_iters=iterations_at(max(0, step - 1)))

"""How SCAE and constellation models learn: optimizer, learning rates, clipping, and what learns when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from discovery import TrainableModel, UserError
from discovery.training.gradient_clipping import Clipping
from discovery.training.optimization import Optimization
from discovery.training.optimizers import Adam, Optimizer, RateFactors, RMSProp
from discovery.training.schedules import Constant, CosineFall, ExponentialDecay
from stacked_capsules.image_autoencoder import ImageAutoencoder
from stacked_capsules.learning_options import SCAETraining


def recipe(model: TrainableModel, options: SCAETraining, batch_size: int) -> Optimization:
    """Returns a model's training recipe.

    Args:
        model: built.
        options: the chosen options.
        batch_size: number of examples in a global batch.

    Raises:
        UserError: options for parts and objects do not fit the model.
    """
    return Optimization(
        optimizer=_optimizer(model, options, batch_size),
        schedule=options.with_fall((ExponentialDecay if options.use_lr_schedule else Constant)(options.lr)),
        clipping=Clipping(options.grad_value_clip, options.grad_norm_clip),
        options_at=_learners_at(model, options),
    )


def _optimizer(model: TrainableModel, options: SCAETraining, batch_size: int) -> Optimizer:
    # RMSProp's epsilon as in the original: inside the square root, and smaller for larger batches (S4).
    rmsprop = RMSProp(epsilon=1e-2 / batch_size**2, start=options.rmsprop_start)
    plain = Adam() if options.optimizer == "adam" else rmsprop
    asked = [name for name in ("part_lr", "objects_from", "parts_until") if getattr(options, name)]
    if not asked:
        return plain
    if not isinstance(model, ImageAutoencoder):
        raise UserError(
            f"--{asked[0]}={getattr(options, asked[0])}: --model=constellation has no part capsules; "
            "leave it out"
        )
    part_factor = Constant(options.part_lr / options.lr if options.part_lr else 1.0)
    if options.parts_until:
        half = options.parts_until // 2
        part_factor = CosineFall(part_factor, half, options.parts_until - half)
    parts, objects = (
        {id(w) for layer in layers for w in layer.trainable_weights}
        for layers in (
            (model.part_encoder, model.part_decoder),
            (model.object_encoder, model.object_decoder, model.prior_probe, model.posterior_probe),
        )
    )
    return RateFactors(
        plain,
        factors=tuple(part_factor if id(w) in parts else Constant(1.0) for w in model.trainable_weights),
        starts=tuple(options.objects_from if id(w) in objects else 0 for w in model.trainable_weights),
    )


def _learners_at(model: TrainableModel, options: SCAETraining) -> Callable[[int], Mapping[str, Any]]:
    """Returns a function from the step to what learns then, as an option of the model's losses."""
    first, last = options.objects_from, options.parts_until
    if not (first or last):
        return lambda step: {}
    for name in ("vote_type", "pres_type"):
        if getattr(model.config, name) != "enc":
            raise UserError(
                f"--{name}={getattr(model.config, name)}: objects help draw the image, so parts cannot "
                f"learn alone; set --{name}=enc, or leave out --objects_from and --parts_until"
            )

    def learners(step):
        if step < first:
            return {"learn": "parts"}
        return {"learn": "objects"} if last and step >= last else {"learn": "all"}

    return learners

"""The options of both models, under the original's names and with its defaults."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from discovery import UserError
from discovery.options import later_option

if TYPE_CHECKING:
    import tensorflow as tf

#: Gain of most initial weights of the original.
GAIN = 0.02


@dataclasses.dataclass(frozen=True)
class SlotAttentionConfig:
    """Slot Attention's options.

    Attributes:
        K: number of slots.
        z_size: size of a slot.
        input_size: (3, H, W) with H = W.
        image_decoder: 'small', 'iodine' or 'big'; the last for 96 x 96 pixels only.
        precision: 'float32', or 'mixed_bfloat16' for convolutions of bfloat16.
        init_gain: gain of the Xavier-normal initial weights, 0.02 in the original: all but those of
            recurrences and of the encoder's positions; in Slot Attention the decoder's alone.

    Raises:
        UserError: for sizes that are not positive and images that are not square or not of three channels.
    """

    K: int = 4
    z_size: int = 64
    input_size: tuple[int, int, int] = (3, 64, 64)
    image_decoder: str = "iodine"
    precision: str = "float32"
    init_gain: float = later_option(GAIN)

    def __post_init__(self):
        for option in ("K", "z_size"):
            _check_at_least(1, option, getattr(self, option))
        _check_in_range("init_gain", self.init_gain, 0, math.inf)
        object.__setattr__(self, "input_size", _checked_input_size(self.input_size))

    @property
    def size(self) -> int:
        """Height and width of the images."""
        return self.input_size[1]


@dataclasses.dataclass(frozen=True)
class EMORLConfig(SlotAttentionConfig):
    """EfficientMORL's options: those of Slot Attention, and its own.

    Attributes:
        stochastic_layers: L, at least 0.
        refinement_iters: I, at least 0; a call can ask for another number.
        log_scale: log of the standard deviation of a colour value.
        image_likelihood: 'Gaussian' or 'GMM'.
        use_DualGRU: whether means and variances have a GRU each.
        bottom_up_prior: the prior of layer l conditions on layer l - 1, not on l + 1.
        reverse_prior_plusplus: refined posteriors are held against p(z1 | z2), not against N(0, 1).
        use_geco: the reconstruction is a constraint with a learnt multiplier.
        geco_warm_start: first step at which it is.
        geco_reconstruction_target: the negative log-likelihood to reach, per colour value of an image.
        geco_ema_alpha: weight of the past in the constraint's moving average.
        geco_step_size_acceleration: factor of the multiplier's step size once the target is beaten.
        geco_beta_stepsize: that step size.
        kl_beta_init: weight of the KL in the loss.

    Raises:
        UserError: as above, for numbers out of range, and where both priors are asked for.
    """

    stochastic_layers: int = 3
    refinement_iters: int = 3
    log_scale: float = -2.3025850929940455
    image_likelihood: str = "Gaussian"
    use_DualGRU: bool = True  # noqa: N815, the original's name
    bottom_up_prior: bool = False
    reverse_prior_plusplus: bool = True
    use_geco: bool = True
    geco_warm_start: int = 1000
    geco_reconstruction_target: float = -23000
    geco_ema_alpha: float = 0.99
    geco_step_size_acceleration: float = 1
    geco_beta_stepsize: float = 1e-6
    kl_beta_init: float = 1

    def __post_init__(self):
        super().__post_init__()
        for option in ("stochastic_layers", "refinement_iters", "geco_warm_start"):
            _check_at_least(0, option, getattr(self, option))
        for option, (low, high) in _RANGES.items():
            _check_in_range(option, getattr(self, option), low, high)
        if self.bottom_up_prior and self.reverse_prior_plusplus:
            raise UserError(
                "bottom_up_prior and reverse_prior_plusplus exclude each other: set one of them to False."
            )


#: Least and greatest value of EfficientMORL's options that are real numbers.
_RANGES = {
    "log_scale": (-math.inf, math.inf),
    "geco_reconstruction_target": (-math.inf, math.inf),
    "geco_ema_alpha": (0, 1),
    "geco_step_size_acceleration": (0, math.inf),
    "geco_beta_stepsize": (0, math.inf),
    "kl_beta_init": (0, math.inf),
}


def check_images(images: tf.Tensor, size: int) -> None:
    """Checks that images are floating-point [B, size, size, 3].

    Raises:
        UserError: where they are not.
    """
    if images.shape.rank != 4 or tuple(images.shape[1:]) != (size, size, 3):
        raise UserError(f"images must be [B, {size}, {size}, 3]; these are {list(images.shape)}.")
    if not images.dtype.is_floating:
        raise UserError(f"images must be float32 in [0, 1], not {images.dtype.name}: divide bytes by 255.")


def _checked_input_size(input_size):
    size = tuple(input_size)
    if len(size) != 3:
        raise UserError(f"input_size must be [3, H, W], not {list(size)}.")
    for name, value in zip("CHW", size, strict=True):
        _check_at_least(1, f"input_size ({name})", value)
    channels, height, width = size
    if channels != 3:
        raise UserError(f"input_size has {channels} channels; the models take colour images, 3.")
    if height != width:
        raise UserError(
            f"input_size is {height} x {width}; images must be square, since the positional embedding "
            "exchanges height and width."
        )
    return size


def _check_in_range(option, value, low, high):
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UserError(f"{option} must be a finite number, not {value!r}.")
    if not low <= value <= high:
        bounds = f"from {low} to {high}" if high < math.inf else f"at least {low}"
        raise UserError(f"{option} must be {bounds}, not {value!r}.")


def _check_at_least(least, option, value):
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UserError(f"{option} must be an integer of at least {least}, not {value!r}.")

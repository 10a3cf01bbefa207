"""The options of the models, with the original's names and defaults."""

from __future__ import annotations

import dataclasses

from discovery import UserError
from discovery.options import check_options, option, same_option
from discovery.precision import PRECISIONS

#: Gain of most initial weights of the original.
GAIN = 0.02


@dataclasses.dataclass(frozen=True)
class SlotAttentionConfig:
    """Slot Attention's options.

    Raises:
        UserError: an option is not one of its choices or is out of range, or images are not square or do not
            have three channels.
    """

    K: int = option(4, "Number of slots.", topic="Model", least=1, shapes=True)
    input_size: tuple[int, int, int] = option(
        (3, 64, 64), "Channels, height and width of the images.", shapes=True
    )
    z_size: int = option(64, "Size of a slot.", least=1, shapes=True)
    image_decoder: str = option("iodine", "Slot decoder: small, iodine, or big for 96 pixels.", shapes=True)
    encoder_channels: int = option(64, "Channels of the image encoder.", least=1, shapes=True, later=True)
    decoder_channels: int = option(
        0,
        "Channels of the slot decoder's hidden layers; 0: its own, 32 for small and 64 for the others.",
        least=0,
        shapes=True,
        later=True,
    )
    precision: str = option("float32", "Precision of convolutions.", choices=PRECISIONS)
    init_gain: float = option(
        GAIN,
        "Gain of the initial weights, except those of recurrences and of the encoder's positions; in Slot "
        "Attention and VAE, only of the decoder's; with 1, small runs find objects.",
        least=0,
        later=True,
    )

    def __post_init__(self):
        check_options(self)
        object.__setattr__(self, "input_size", _checked_input_size(self.input_size))

    @property
    def size(self) -> int:
        """Height and width of the images."""
        return self.input_size[1]


@dataclasses.dataclass(frozen=True)
class EMORLConfig(SlotAttentionConfig):
    """EfficientMORL's options: those of Slot Attention, and its own.

    Raises:
        UserError: as above, and if both priors are requested.
    """

    image_likelihood: str = option(
        "Gaussian", "Likelihood of a pixel.", choices=("Gaussian", "GMM"), shapes=True
    )
    stochastic_layers: int = option(
        3, "Number of layers of bottom-up inference, L in the paper.", least=0, shapes=True
    )
    refinement_iters: int = option(
        3,
        "Number of refinement steps, I in the paper; training follows a curriculum, and a call can set it.",
        least=0,
    )
    log_scale: float = option(-2.3025850929940455, "Log of the likelihood's standard deviation.")
    use_DualGRU: bool = option(True, "Uses separate GRUs for means and variances.", shapes=True)  # noqa: N815
    bottom_up_prior: bool = option(
        False, "Conditions the prior of layer l on layer l - 1 instead of l + 1.", shapes=True
    )
    reverse_prior_plusplus: bool = option(
        True, "Compares refined posteriors with p(z1 | z2) instead of N(0, 1).", shapes=True
    )

    use_geco: bool = option(
        True,
        "Makes the reconstruction a constraint with a learned multiplier instead of a term of the loss.",
        topic="GECO",
    )
    geco_reconstruction_target: float = option(-23000, "Target NLL, per color value of an image.")
    geco_ema_alpha: float = option(
        0.99, "Weight of the past in the constraint's moving average.", least=0, most=1
    )
    geco_beta_stepsize: float = option(1e-6, "Step size of the multiplier.", least=0)
    geco_step_size_acceleration: float = option(
        1.0, "Factor on that step size while the target is beaten.", least=0
    )
    geco_warm_start: int = option(1000, "First step of GECO.", least=0)
    kl_beta_init: float = option(1.0, "Weight of the KL.", least=0)

    def __post_init__(self):
        super().__post_init__()
        if self.bottom_up_prior and self.reverse_prior_plusplus:
            raise UserError(
                "bottom_up_prior and reverse_prior_plusplus are mutually exclusive: set one of them to False."
            )


@dataclasses.dataclass(frozen=True)
class VAEConfig:
    """The options of the autoencoder without slots, all of which the others have too.

    Raises:
        UserError: an option is not among its choices or out of range, or images are not square or do not have
            three channels.
    """

    input_size: tuple[int, int, int] = same_option(SlotAttentionConfig, "input_size")
    z_size: int = same_option(SlotAttentionConfig, "z_size")
    image_decoder: str = same_option(SlotAttentionConfig, "image_decoder")
    decoder_channels: int = same_option(SlotAttentionConfig, "decoder_channels")
    precision: str = same_option(SlotAttentionConfig, "precision")
    init_gain: float = same_option(SlotAttentionConfig, "init_gain")
    log_scale: float = same_option(EMORLConfig, "log_scale")

    def __post_init__(self):
        check_options(self)
        object.__setattr__(self, "input_size", _checked_input_size(self.input_size))

    @property
    def size(self) -> int:
        """Height and width of the images."""
        return self.input_size[1]

    @property
    def K(self) -> int:  # noqa: N802
        """The whole image is one slot, for evaluations."""
        return 1


def _checked_input_size(input_size):
    size = tuple(input_size)
    if len(size) != 3:
        raise UserError(f"input_size must be [3, H, W], not {list(size)}.")
    for name, value in zip("CHW", size, strict=True):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise UserError(f"input_size ({name}) must be an integer of at least 1, not {value!r}.")
    channels, height, width = size
    if channels != 3:
        raise UserError(f"input_size has {channels} channels; the models take color images, 3.")
    if height != width:
        raise UserError(
            f"input_size is {height} x {width}; images must be square, because the positional embedding "
            "swaps height and width."
        )
    return size

"""The options of both models, with the original's names and defaults where it has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from discovery.options import check_options, option
from discovery.precision import PRECISIONS

#: How the part encoder pools the features of an image.
ENCODER_TYPES = ("linear", "conv", "conv_att")
#: How the presence of points masks attention; see `attention.attend`.
PRESENCE_MASKS = ("as_run", "log")
#: Kinds of sparsity losses; see `sparsity`.
SPARSITY_TYPES = ("entropy", "kl", "l2")
#: Which poses or presences parts are rendered with.
_DRAWN = ("enc", "soft", "hard")


@dataclass(frozen=True, kw_only=True)
class CapsuleConfig:
    """The options that both models have.

    Raises:
        UserError: An option is not one of its choices, or is out of range.
    """

    presence_noise: float = option(
        4.0, "Width of the uniform noise on presence logits.", topic="Object capsules", least=0, later=True
    )
    presence_mask: str = option("as_run", "How presences mask attention (S25).", choices=PRESENCE_MASKS)
    prior_within_example_sparsity_weight: float = option(
        1.0, "Loss weight of having few objects in each example, by prior presences.", topic="Loss"
    )
    prior_between_example_sparsity_weight: float = option(
        1.0, "Loss weight of spreading examples evenly over objects, by prior presences."
    )
    prior_within_example_constant: float = option(
        0.0, "Target number of objects per example in the l2 loss; 0: number of objects / n_classes (S1)."
    )
    posterior_within_example_sparsity_weight: float = option(
        10.0, "Loss weight of having few objects in each example, by posterior presences."
    )
    posterior_between_example_sparsity_weight: float = option(
        10.0, "Loss weight of spreading examples evenly over objects, by posterior presences."
    )
    dynamic_l2_weight: float = option(
        10.0, "Loss weight of deformations of an object's relations to its parts."
    )
    eval_noise: bool = option(False, "Adds noise at evaluation too, as in the original (S5).")
    seed: int = option(0, "Seed of the initial weights.", flag=False)

    def __post_init__(self):
        check_options(self)


@dataclass(frozen=True, kw_only=True)
class SCAEConfig(CapsuleConfig):
    """The options of the image model, `ImageAutoencoder`.

    Raises:
        UserError: An option is not one of its choices, or is out of range.
    """

    weight_decay: float = option(
        0.0, "Weight of half the squared norm of all kernels.", topic="Model and optimization"
    )
    precision: str = option("float32", "Precision of convolutions.", choices=PRECISIONS)
    pixel_likelihood: str = option(
        "auto",
        "Scores images in blocks of pixels that fit into a CPU's cache, or as whole batches, for "
        "accelerators; values differ only by rounding; auto: whole if TensorFlow has a GPU.",
        choices=("auto", "blocks", "whole"),
        later=True,
    )

    canvas_size: int = option(
        28,
        "Side of the image; image files are resized to it, other images are shifted within it.",
        topic="Data",
        least=1,
        shapes=True,
    )
    n_channels: int = option(1, "Number of input channels.", least=1, shapes=True)
    n_classes: int = option(
        10, "Number of labels; for image files, of their subfolders.", least=1, shapes=True
    )

    encoder_type: str = option(
        "conv_att",
        "How the features of an image are pooled.",
        topic="Part capsules",
        choices=ENCODER_TYPES,
        shapes=True,
    )
    template_size: int = option(11, "Side of a template.", least=1, shapes=True)
    n_part_caps: int = option(16, "Number of part capsules.", least=1, shapes=True)
    n_part_caps_dims: int = option(6, "Dimensions of a part's pose.", shapes=True)
    n_part_special_features: int = option(16, "Number of special features of a part.", shapes=True)
    cnn_strides: Sequence[int] = option(
        (2, 2, 1, 1), "Strides of the convolutions before the parts.", shapes=True
    )
    colorize_templates: bool = option(False, "Infers each template's color from the image.", shapes=True)
    use_alpha_channel: bool = option(
        False, "Learns mixing logits per template pixel; otherwise its values are the logits.", shapes=True
    )
    template_nonlin: str = option("relu1", "Nonlinearity on templates.")
    color_nonlin: str = option("relu1", "Nonlinearity on template colors.")
    learn_output_scale: bool = option(
        False, "Learns the scale of pixel noise; otherwise it is 1.", shapes=True
    )
    prep: str = option(
        "none", "What is reconstructed: the image, or its normalized edges.", choices=("none", "sobel")
    )
    vote_type: str = option(
        "enc",
        "Poses of parts in the reconstruction: as encoded, the posterior mean of the votes, or the winning "
        "votes.",
        choices=_DRAWN,
    )
    pres_type: str = option("enc", "Presences of parts in the reconstruction, likewise.", choices=_DRAWN)

    n_obj_caps: int = option(10, "Number of object capsules.", topic="Object capsules", least=1, shapes=True)
    n_obj_caps_params: int = option(32, "Dimensions of an object's parameters.", least=1, shapes=True)
    caps_dropout_rate: float = option(0.0, "Probability that training drops an object capsule.")
    feed_templates: bool = option(True, "Feeds templates to the object encoder.", shapes=True)
    stop_grad_caps_inpt: bool = option(
        True, "Stops the gradient from the object encoder to the parts, except through special features."
    )
    stop_grad_caps_target: bool = option(True, "Stops the gradient from the part likelihood to the parts.")
    special_features_gradient: float = option(
        1.0,
        "Factor of the gradient from the object encoder to the parts' special features (S27).",
        least=0,
        later=True,
    )

    caps_ll_weight: float = option(1.0, "Loss weight of the part likelihood; images only.", topic="Loss")
    primary_caps_sparsity_weight: float = option(0.0, "Loss weight of part presences; images only.")
    prior_sparsity_loss_type: str = option(
        "l2", "Kind of the prior sparsity losses; images only.", choices=SPARSITY_TYPES
    )
    posterior_sparsity_loss_type: str = option(
        "entropy", "Kind of the posterior sparsity losses; images only.", choices=SPARSITY_TYPES
    )

    def loss_weights(self) -> dict[str, float]:
        """The loss, term by term: the weight of each metric; those that are maximized have a minus."""
        return {
            "rec_ll": -1.0,  # image likelihood
            "log_prob": -self.caps_ll_weight,  # part likelihood
            "prior_within_sparsity_loss": self.prior_within_example_sparsity_weight,
            "prior_between_sparsity_loss": -self.prior_between_example_sparsity_weight,
            "posterior_within_sparsity_loss": self.posterior_within_example_sparsity_weight,
            "posterior_between_sparsity_loss": -self.posterior_between_example_sparsity_weight,
            "dynamic_weights_l2": self.dynamic_l2_weight,  # deformation of objects
            "primary_caps_l1": self.primary_caps_sparsity_weight,
            "weight_decay_loss": self.weight_decay,
            "prior_cls_xe": 1.0,  # the probes, whose gradient reaches themselves alone
            "posterior_cls_xe": 1.0,
        }


@dataclass(frozen=True, kw_only=True)
class ConstellationConfig(CapsuleConfig):
    """The options of `ConstellationAutoencoder`; the original hard-codes its numbers of capsules.

    Raises:
        UserError: An option is not one of its choices, or is out of range.
    """

    n_caps: int = option(3, "Number of capsules.", topic="Constellation model", least=1, shapes=True)
    n_votes: int = option(4, "Number of votes per capsule.", least=1, shapes=True)
    n_caps_params: int = option(32, "Dimensions of a capsule's parameters.", least=1, shapes=True)
    decoder: str = option(
        "capsule",
        "Capsules, or the plain baseline without geometry.",
        choices=("capsule", "plain"),
        shapes=True,
    )
    skip_absent_points: bool = option(
        False,
        "Training encodes only present points (the same up to rounding); not under XLA.",
        later=True,
    )
    encoder_lanes: int = option(
        1, "Number of batch slices that training encodes in parallel; not under XLA.", least=1, later=True
    )

    sparsity_weight: float = option(
        10.0,
        "Loss weight of capsules being present where they win points; constellation only.",
        topic="Loss",
    )
    mixing_kl_weight: float = option(
        0.0, "Loss weight of making mixing probabilities even; constellation only."
    )
    capsule_presence: str = option(
        "binary",
        "What the prior sparsity losses see: whether a vote is likelier than the dummy (without gradient), "
        "or its probability (S28).",
        choices=("binary", "soft"),
    )
    posterior_points: str = option(
        "all",
        "Points that the posterior sparsity losses count; with all, a capsule can claim absent ones (S38).",
        choices=("all", "present"),
        later=True,
    )

    def loss_weights(self) -> dict[str, float]:
        """The loss, term by term, as above."""
        return {
            "log_prob": -1.0,  # likelihood of points
            "mixing_kl": self.mixing_kl_weight,
            "sparsity_loss": self.sparsity_weight,
            "dynamic_weights_l2": self.dynamic_l2_weight,
            "posterior_within_sparsity_loss": self.posterior_within_example_sparsity_weight,
            "posterior_between_sparsity_loss": -self.posterior_between_example_sparsity_weight,
            "prior_within_sparsity_loss": self.prior_within_example_sparsity_weight,
            "prior_between_sparsity_loss": -self.prior_between_example_sparsity_weight,
        }

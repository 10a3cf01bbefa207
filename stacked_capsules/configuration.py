"""The options of both models, under the original's names and with its defaults where it has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from discovery.options import check_options, option
from discovery.precision import PRECISIONS

#: How a part encoder pools the features of an image.
ENCODER_TYPES = ("linear", "conv", "conv_att")
#: What the presence of a point does to attention, see `attention.attend`.
PRESENCE_MASKS = ("as_run", "log")
#: What a sparsity loss is made of, see `sparsity`.
SPARSITY_TYPES = ("entropy", "kl", "l2")
#: Poses or presences that parts are drawn with.
_DRAWN = ("enc", "soft", "hard")


@dataclass(frozen=True, kw_only=True)
class CapsuleConfig:
    """What both models have.

    Raises:
        UserError: An option is none of its choices, or out of range.
    """

    presence_noise: float = option(
        4.0, "Width of the uniform noise on presence logits.", topic="Object capsules", least=0, later=True
    )
    presence_mask: str = option("as_run", "How presences mask attention (S25).", choices=PRESENCE_MASKS)
    prior_within_example_sparsity_weight: float = option(
        1.0, "Loss weight of few objects in each example, by their prior presences.", topic="Loss"
    )
    prior_between_example_sparsity_weight: float = option(
        1.0, "Loss weight of examples spread over the objects, by their prior presences."
    )
    prior_within_example_constant: float = option(
        0.0, "Objects wanted per example, of the l2 loss; 0: the number of objects / n_classes (S1)."
    )
    posterior_within_example_sparsity_weight: float = option(
        10.0, "Loss weight of few objects in each example, by what they explain."
    )
    posterior_between_example_sparsity_weight: float = option(
        10.0, "Loss weight of examples spread over the objects, by what they explain."
    )
    dynamic_l2_weight: float = option(
        10.0, "Loss weight of deformations: an object's relations to its parts."
    )
    eval_noise: bool = option(False, "Noise at evaluation too, as the original has it (S5).")
    seed: int = option(0, "Seed of the initial weights.", flag=False)

    def __post_init__(self):
        check_options(self)


@dataclass(frozen=True, kw_only=True)
class SCAEConfig(CapsuleConfig):
    """The image model, `ImageAutoencoder`.

    Raises:
        UserError: An option is none of its choices, or out of range.
    """

    weight_decay: float = option(
        0.0, "Weight of half the squared norm of all kernels.", topic="Model and optimization"
    )
    precision: str = option("float32", "What convolutions compute in.", choices=PRECISIONS)
    pixel_likelihood: str = option(
        "auto",
        "Images are scored in blocks of pixels, which fit into a CPU's cache, or as whole batches, for "
        "accelerators; values differ by rounding alone; auto: whole where TensorFlow has a GPU.",
        choices=("auto", "blocks", "whole"),
        later=True,
    )

    canvas_size: int = option(
        28,
        "Side of the image; files are resized to it, others shifted in it.",
        topic="Data",
        least=1,
        shapes=True,
    )
    n_channels: int = option(1, "Number of input channels.", least=1, shapes=True)
    n_classes: int = option(10, "Number of labels; of images: of their sub-folders.", least=1, shapes=True)

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
        False, "Learns mixing logits per template pixel; otherwise its values are they.", shapes=True
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
        "Poses it is made of: as seen, the posterior mean of the votes, or the winning votes.",
        choices=_DRAWN,
    )
    pres_type: str = option("enc", "Presences it is made of, likewise.", choices=_DRAWN)

    n_obj_caps: int = option(10, "Number of object capsules.", topic="Object capsules", least=1, shapes=True)
    n_obj_caps_params: int = option(32, "Dimensions of an object's parameters.", least=1, shapes=True)
    caps_dropout_rate: float = option(0.0, "Probability that training drops an object capsule.")
    feed_templates: bool = option(True, "Shows templates to the object encoder.", shapes=True)
    stop_grad_caps_inpt: bool = option(
        True, "No gradient from the object encoder to the parts, but by way of special features."
    )
    stop_grad_caps_target: bool = option(True, "No gradient from the parts' likelihood to the parts.")
    special_features_gradient: float = option(
        1.0,
        "Factor of the gradient from the object encoder to the parts' special features (S27).",
        least=0,
        later=True,
    )

    caps_ll_weight: float = option(1.0, "Loss weight of the parts' likelihood; images only.", topic="Loss")
    primary_caps_sparsity_weight: float = option(0.0, "Loss weight of parts' presences; images only.")
    prior_sparsity_loss_type: str = option(
        "l2", "What prior sparsity losses are; images only.", choices=SPARSITY_TYPES
    )
    posterior_sparsity_loss_type: str = option(
        "entropy", "What posterior sparsity losses are; images only.", choices=SPARSITY_TYPES
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
    """The constellation model, `ConstellationAutoencoder`; the original fixes the numbers of its capsules.

    Raises:
        UserError: An option is none of its choices, or out of range.
    """

    n_caps: int = option(3, "Number of capsules.", topic="Constellation model", least=1, shapes=True)
    n_votes: int = option(4, "Number of votes of a capsule.", least=1, shapes=True)
    n_caps_params: int = option(32, "Dimensions of a capsule's parameters.", least=1, shapes=True)
    decoder: str = option(
        "capsule",
        "Capsules, or the plain baseline without geometry.",
        choices=("capsule", "plain"),
        shapes=True,
    )
    skip_absent_points: bool = option(
        False,
        "Training encodes present points alone (the same up to rounding); not under XLA.",
        later=True,
    )
    encoder_lanes: int = option(
        1, "Parts of a batch that training encodes beside each other; not under XLA.", least=1, later=True
    )

    sparsity_weight: float = option(
        10.0,
        "Loss weight of capsules that are present where they win points; constellation only.",
        topic="Loss",
    )
    mixing_kl_weight: float = option(0.0, "Loss weight of even mixing probabilities; constellation only.")
    capsule_presence: str = option(
        "binary",
        "What the prior sparsity losses see: is a vote likelier than the dummy (no gradient then), or the "
        "probability (S28).",
        choices=("binary", "soft"),
    )
    posterior_points: str = option(
        "all",
        "Points that the posterior sparsity losses count; of all, a capsule can have absent ones (S38).",
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

"""Every layer and model of stacked_capsules."""

import numpy as np

from stacked_capsules.attention import MultiHeadAttention
from stacked_capsules.batched_dense import BatchedDense, BatchedMLP
from stacked_capsules.classification_probe import ClassificationProbe
from stacked_capsules.configuration import ConstellationConfig, SCAEConfig
from stacked_capsules.constellation_capsule import ConstellationCapsule
from stacked_capsules.constellation_decoder import ConstellationDecoder
from stacked_capsules.image_capsule import ImageCapsule
from stacked_capsules.object_capsules import CapsuleLayer
from stacked_capsules.part_capsules import PartCapsuleEncoder
from stacked_capsules.seeded_models import make_constellation, make_scae
from stacked_capsules.set_transformer import SelfAttention, SetTransformer
from stacked_capsules.template_decoder import TemplateDecoder
from stacked_capsules.vote_likelihood import OrderInvariantVoteLikelihood, VoteLikelihood
from tests.conformance.case import BATCH_SIZE, Case, uniform

N_PARTS, N_OBJECTS, N_VOTES, N_POINTS = 4, 3, 2, 5

POINTS = {"x": uniform(N_POINTS, 6, low=-1), "presence": uniform(N_POINTS)}
POSE = uniform(N_PARTS, 6, low=-1)
PRESENCE = np.round(uniform(N_POINTS))  # 0 or 1
CORNERS = uniform(N_POINTS, 2, low=-1)
ENCODING = uniform(N_OBJECTS, 7, low=-1)
M = N_OBJECTS * N_VOTES

IMAGE_BATCH = {
    "image": uniform(23, 23, 2),
    "label": np.arange(BATCH_SIZE) % 3,
    "labeled": np.array([1, 0, 1, 1]),
}
CONSTELLATION_BATCH = {
    "corners": CORNERS,
    "presence": PRESENCE,
    "pattern_presence": np.ones([BATCH_SIZE, 3], np.float32),
    "pattern_id": np.tile([0, 0, 1, 2, 2], [BATCH_SIZE, 1]),
}


def capsules(**options):
    return CapsuleLayer(N_OBJECTS, n_hiddens=6, learn_vote_scale=True, noise_scale=4.0, **options)


def image_autoencoder():
    return make_scae(
        SCAEConfig(
            canvas_size=23,
            n_channels=2,
            n_classes=3,
            template_size=5,
            n_part_caps=N_PARTS,
            n_part_special_features=3,
            colorize_templates=True,
            use_alpha_channel=True,
            learn_output_scale=True,
            pixel_likelihood="whole",  # blocks are compiled anew for every call; other tests score in them
            template_nonlin="sigmoid",
            n_obj_caps=N_OBJECTS,
            n_obj_caps_params=5,
            caps_dropout_rate=0.3,
            pres_type="soft",
            stop_grad_caps_inpt=False,
            stop_grad_caps_target=False,
            primary_caps_sparsity_weight=0.1,
            weight_decay=0.01,
            seed=3,
        )
    )


def constellation_autoencoder():
    return make_constellation(
        ConstellationConfig(capsule_presence="soft", mixing_kl_weight=0.5, n_votes=N_VOTES, seed=3)
    )


CASES = [
    Case("BatchedDense", lambda: BatchedDense(3, use_bias=False), {"x": ENCODING}),
    Case("BatchedMLP", lambda: BatchedMLP([6, 3], "sigmoid", activate_final=True), {"x": ENCODING}),
    Case("ClassificationProbe", lambda: ClassificationProbe(3), {"presence": uniform(N_OBJECTS)}),
    Case(
        "MultiHeadAttention",
        lambda: MultiHeadAttention(2, presence_mask="log"),
        {
            "queries": uniform(3, 6),
            "keys": POINTS["x"],
            "values": POINTS["x"],
            "presence": POINTS["presence"],
        },
    ),
    Case(
        "SelfAttention",
        lambda: SelfAttention(2, layer_norm=True, dropout_rate=0.3, presence_mask="log"),
        POINTS,
        noisy=True,
    ),
    Case(
        "SetTransformer",
        lambda: SetTransformer(2, 2, 6, 8, 3, layer_norm=True, dropout_rate=0.3, n_inducing_points=2),
        POINTS,
        noisy=True,
    ),
    Case(
        "PartCapsuleEncoder",
        lambda: PartCapsuleEncoder(
            N_PARTS, n_features=2, similarity_transform=True, filters=(4, 6), strides=(2, 1)
        ),
        {"images": uniform(14, 14, 2)},
        noisy=True,
    ),
    Case(
        "TemplateDecoder",
        lambda: TemplateDecoder(
            *((9, 9), (4, 4), N_PARTS, 2),
            learn_output_scale=True,
            template_nonlin="sigmoid",
            use_alpha_channel=True,
            template_seed=5,
        ),
        {"pose": POSE, "presence": uniform(N_PARTS), "templates": uniform(N_PARTS, 4, 4, 2)},
    ),
    Case(
        "CapsuleLayer",
        lambda: capsules(n_votes=N_VOTES, n_caps_params=4, noise_type="normal", caps_dropout_rate=0.3),
        {"features": ENCODING},
        noisy=True,
    ),
    Case(
        "ImageCapsule",
        lambda: ImageCapsule(
            capsules(n_votes=N_PARTS, noise_type="uniform", similarity_transform=False),
            VoteLikelihood("student"),
        ),
        {"encoding": ENCODING, "pose": POSE, "presence": uniform(N_PARTS)},
        noisy=True,
    ),
    Case(
        "ConstellationCapsule",
        lambda: ConstellationCapsule(
            capsules(n_votes=N_VOTES, n_caps_params=4, noise_type="logistic"),
            OrderInvariantVoteLikelihood(N_VOTES),
        ),
        {"encoding": ENCODING, "corners": CORNERS, "presence": PRESENCE},
        noisy=True,
    ),
    Case(
        "ConstellationDecoder",
        lambda: ConstellationDecoder(N_OBJECTS, N_VOTES, n_hiddens=6, noise_scale=2.0),
        {"encoding": ENCODING, "corners": CORNERS, "presence": PRESENCE},
        noisy=True,
    ),
    Case(
        "VoteLikelihood",
        lambda: VoteLikelihood("student"),
        {
            "x": POSE,
            "votes": uniform(N_OBJECTS, N_PARTS, 6, low=-1),
            "scale": uniform(N_OBJECTS, N_PARTS, low=0.2),
            "vote_presence_prob": uniform(N_OBJECTS, N_PARTS, seed=1),
            "presence": uniform(N_PARTS),
        },
    ),
    Case(
        "OrderInvariantVoteLikelihood",
        lambda: OrderInvariantVoteLikelihood(N_VOTES, "student"),
        {
            "x": CORNERS,
            "votes": uniform(M, 2, low=-1),
            "scale": uniform(M, low=0.2),
            "vote_presence_prob": uniform(M, seed=1),
            "presence": PRESENCE,
        },
    ),
    # Templates are placed by the inverses of poses, which make more of rounding errors.
    Case("ImageAutoencoder", image_autoencoder, noisy=True, batch=IMAGE_BATCH, rtol=1e-4),
    Case("ConstellationAutoencoder", constellation_autoencoder, noisy=True, batch=CONSTELLATION_BATCH),
]

"""Every layer and model of emorl."""

import tensorflow as tf

from discovery import Seed
from emorl.configuration import EMORLConfig, SlotAttentionConfig, VAEConfig
from emorl.dual_gru import DualGRU, GRUCell
from emorl.image_decoders import BigDecoder, IodineDecoder, SmallDecoder
from emorl.image_encoder import ImageEncoder
from emorl.inference_noise import SharedNoise
from emorl.prior import ConditionalPrior
from emorl.refinement import RefinementNetwork
from emorl.seeded_models import make_efficient_morl, make_slot_attention, make_vae
from emorl.slot_inference import SlotInference
from tests.conformance.case import Case, uniform

SIZE, K, Z, C = 8, 2, 4, 12

SLOTS = {"slots": uniform(K, Z, low=-1)}
IMAGE_BATCH = {"image": uniform(SIZE, SIZE, 3)}
NET = {"K": K, "z_size": Z, "input_size": (3, SIZE, SIZE), "image_decoder": "small"}
NARROW = {"encoder_channels": C, "decoder_channels": 6}


def draw_for_slots(arguments, seed):
    """Draws of the forward pass, as the model hands them to its hierarchy of layers."""
    noise = SharedNoise.of(0) if seed is None else Seed.of(seed)
    features = arguments["features"]
    batch = features.shape[0] or tf.shape(features)[0]
    return {"draw": lambda i: noise.fold(i).normal([batch, K, Z])}


def efficient_morl():
    options = {"image_likelihood": "GMM", "stochastic_layers": 2, "refinement_iters": 1, "log_scale": -1.0}
    geco = {"geco_reconstruction_target": -1.0, "geco_warm_start": 3, "geco_step_size_acceleration": 2.0}
    return make_efficient_morl(EMORLConfig(**NET, **NARROW, **options, **geco), seed=3)


CASES = [
    Case(
        "GRUCell",
        lambda: GRUCell(5, "normal", 3),
        {"inputs": uniform(K, Z, low=-1), "state": uniform(K, 5, low=-1)},
    ),
    Case(
        "DualGRU",
        lambda: DualGRU(5, 3),
        {"inputs": uniform(K, 2 * Z, low=-1), "state": uniform(K, 10, low=-1)},
    ),
    Case(
        "ImageEncoder",
        lambda: ImageEncoder(SIZE, "torch", 3, channels=C),
        {"images": uniform(SIZE, SIZE, 3, low=-1)},
    ),
    Case("SmallDecoder", lambda: SmallDecoder(SIZE, Z, 3), SLOTS),
    Case("IodineDecoder", lambda: IodineDecoder(SIZE, Z, 3), SLOTS),
    Case("BigDecoder", lambda: BigDecoder(96, Z, 3, channels=6), {"slots": uniform(1, Z, low=-1)}),
    Case("ConditionalPrior", lambda: ConditionalPrior(Z, 3), SLOTS),
    Case(
        "RefinementNetwork",
        lambda: RefinementNetwork(Z, 3),
        {
            "parameters": uniform(K, 2 * Z, low=-1),
            "gradient": uniform(K, 2 * Z, low=-1, seed=1),
            "state": uniform(K, Z, low=-1),
        },
    ),
    Case(
        "SlotInference",
        lambda: SlotInference(Z, 2, use_dual_gru=False, init_seed=3),
        {"features": uniform(SIZE**2, C, low=-1)},
        draws=draw_for_slots,
    ),
    Case("EfficientMORL", efficient_morl, noisy=True, batch=IMAGE_BATCH),
    Case(
        "SlotAttention",
        lambda: make_slot_attention(SlotAttentionConfig(**NET, **NARROW), seed=3),
        noisy=True,
        batch=IMAGE_BATCH,
    ),
    Case(
        "VAE",
        lambda: make_vae(VAEConfig(input_size=(3, SIZE, SIZE), z_size=Z, image_decoder="small"), seed=3),
        noisy=True,
        batch=IMAGE_BATCH,
    ),
]

"""`.keras` files that version 0.1.0 wrote, before models took their options as one argument."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from stacked_capsules.configuration import ConstellationConfig, SCAEConfig
from stacked_capsules.constellation_autoencoder import ConstellationAutoencoder
from stacked_capsules.image_autoencoder import ImageAutoencoder

KEPT = Path(__file__).parent / "kept"

#: What each file's model was made with.
MADE_WITH = {
    "image_autoencoder": SCAEConfig(
        canvas_size=23,
        template_size=5,
        n_part_caps=4,
        n_part_special_features=3,
        n_obj_caps=3,
        n_obj_caps_params=5,
        n_classes=6,
        colorize_templates=True,
        use_alpha_channel=True,
        color_nonlin="sigmoid",
        template_nonlin="sigmoid",
        presence_mask="log",
        presence_noise=3.0,
        caps_dropout_rate=0.1,
        vote_type="soft",
        prior_sparsity_loss_type="kl",
        dynamic_l2_weight=7.0,
        caps_ll_weight=2.0,
        special_features_gradient=0.5,
        eval_noise=True,
        prep="sobel",
        pixel_likelihood="whole",
        seed=5,
    ),
    "constellation_autoencoder": ConstellationConfig(
        n_votes=5,
        n_caps=2,
        n_caps_params=6,
        presence_noise=2.0,
        presence_mask="log",
        encoder_lanes=2,
        skip_absent_points=True,
        capsule_presence="soft",
        posterior_points="present",
        sparsity_weight=3.0,
        eval_noise=True,
    ),
    "constellation_autoencoder_plain": ConstellationConfig(decoder="plain", presence_noise=2.5),
}


def pattern(i, shape):
    """The values that the weight of each number was given."""
    return ((np.arange(np.prod(shape)) % 5 - 2 + (i % 7) * 0.25) / 8).reshape(shape).astype(np.float32)


@pytest.mark.parametrize("name", MADE_WITH)
def test_they_load(name):
    model = keras.saving.load_model(KEPT / f"{name}.keras")
    assert isinstance(model, ConstellationAutoencoder if "constellation" in name else ImageAutoencoder)
    assert model.config == MADE_WITH[name]
    for i, weight in enumerate(model.weights):
        np.testing.assert_array_equal(weight, pattern(i, weight.shape), err_msg=weight.path)


def test_the_import_that_the_docs_name_is_enough():
    program = "import sys, keras, stacked_capsules.named_models; keras.models.load_model(sys.argv[1])"
    subprocess.run([sys.executable, "-c", program, KEPT / "image_autoencoder.keras"], check=True)

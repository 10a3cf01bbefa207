"""`precision`: the same model, its convolutions in bfloat16."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

import discovery.precision
from discovery import Seed, UserError
from emorl.configuration import EMORLConfig, SlotAttentionConfig, VAEConfig
from emorl.seeded_models import make_efficient_morl, make_slot_attention, make_vae
from stacked_capsules.configuration import SCAEConfig
from stacked_capsules.seeded_models import make_scae

SLOTS = {"K": 2, "z_size": 8, "input_size": (3, 16, 16), "image_decoder": "small"}
MODELS = [
    (make_scae, SCAEConfig(canvas_size=28, template_size=7, n_part_caps=4, n_obj_caps=3)),
    (make_efficient_morl, EMORLConfig(**SLOTS, refinement_iters=1)),
    (make_efficient_morl, EMORLConfig(**(SLOTS | {"image_decoder": "iodine"}), image_likelihood="GMM")),
    (make_slot_attention, SlotAttentionConfig(**SLOTS)),
    (make_vae, VAEConfig(z_size=8, input_size=(3, 16, 16), image_decoder="small")),
]


@pytest.mark.parametrize(("make", "config"), MODELS, ids=lambda x: getattr(x, "__name__", None))
def test_bfloat16_stays_near_float32(make, config):
    exact, mixed = make(config), make(dataclasses.replace(config, precision="mixed_bfloat16"))
    rng = np.random.default_rng(0)
    weights = [w + 0.05 * rng.normal(size=w.shape) for w in exact.get_weights()]  # EMORL's start at almost 0
    exact.set_weights(weights)
    mixed.set_weights(weights)
    assert {v.dtype for v in mixed.weights} == {"float32"}
    size = getattr(config, "canvas_size", 16)
    channels = 1 if make is make_scae else 3
    images = tf.constant(rng.uniform(size=[3, size, size, channels]), tf.float32)

    @tf.function(autograph=False)
    def loss_and_gradients(model):
        with tf.GradientTape() as tape:
            loss, _ = model.loss_and_metrics(
                {"image": images, "label": tf.constant([0, 1, 2], tf.int64)}, tf.constant(0), Seed.of(1)
            )
        gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
        return loss, tf.concat([tf.reshape(g, [-1]) for g in gradients if g is not None], 0)

    (want, want_gradients), (got, got_gradients) = loss_and_gradients(exact), loss_and_gradients(mixed)
    assert got.dtype == got_gradients.dtype == tf.float32
    assert got != want, "nothing was computed in bfloat16"
    np.testing.assert_allclose(got, want, rtol=0.02)
    assert tf.norm(got_gradients - want_gradients) < 0.2 * tf.norm(want_gradients)
    again = type(mixed).from_config(mixed.get_config())
    assert again.get_config() == mixed.get_config()


@pytest.mark.parametrize(
    ("flags", "slow"), [("avx2 fma", True), ("avx2 avx512f avx512bw", False), ("fp asimd", False)]
)
def test_processors_on_which_bfloat16_is_slow(monkeypatch, tmp_path, flags, slow):
    (tmp_path / "cpuinfo").write_text(f"flags : {flags}\n")
    monkeypatch.setattr(discovery.precision, "_CPU_INFO", str(tmp_path / "cpuinfo"))
    assert ("use --precision=float32" in (discovery.precision.slow_bfloat16() or "")) == slow


def test_unknown_precision():
    with pytest.raises(UserError, match="precision must be one of float32, mixed_bfloat16, not 'half'"):
        make_slot_attention(SlotAttentionConfig(**SLOTS, precision="half"))

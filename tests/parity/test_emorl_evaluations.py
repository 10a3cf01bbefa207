"""Evaluations against the original's own: of a small trained model, and of the published model's predictions.

The arrays are not part of the repository. Where the originals' noise is constant, an object that draws it
stands for the seed.
"""

import contextlib
import dataclasses
import types
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from emorl.configuration import EMORLConfig
from emorl.data import DataConfig, load
from emorl.diagonal_gaussian import DiagonalGaussian
from emorl.evaluation import run_over_scenes
from emorl.evaluation.ari_mse_kl import ari_mse_kl
from emorl.evaluation.dci_of_slots import matched_objects
from emorl.evaluation.latents import SlotMover, activeness, find_slots
from emorl.evaluation.sample_viz import samples
from emorl.image_decoders import Decoding
from emorl.inference_stages import EfficientMORLOutputs, Stage
from emorl.metrics.disentanglement import latent_ranges, traversal_values
from emorl.seeded_models import make_efficient_morl
from emorl.torch_weights import keras_weights
from tests.emorl.evaluation.painted import source_of
from tests.parity import golden_arrays as ga
from tests.parity.emorl_reference import ReferenceNoise, by_path, make_model, set_weights
from tests.samples import sample

GAP = 2  # between the pictures of the original's grids


class ConstantNoise:
    """Draws 0.3."""

    def fold(self, purpose):
        return self

    def normal(self, shape):
        return tf.fill(shape, 0.3)


def arrays_of(path):
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


@contextlib.contextmanager
def float64():
    """Models made in it compute in float64, as in `test_emorl_models`."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    yield
    keras.config.set_dtype_policy(policy)


@pytest.fixture(scope="module")
def expected():
    return arrays_of(sample("parity/full/emorl/eval_1.npz"))


@pytest.fixture(scope="module")
def model():
    """The original's model after three training steps: its checkpoint `a`."""
    state = arrays_of(sample("parity/full/emorl/a-train-w5k_rnd_1.npz"))
    state = {name.removeprefix("var3/"): x for name, x in state.items() if name.startswith("var3/")}
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    config = EMORLConfig(K=4, z_size=32, input_size=(3, 35, 35), image_decoder="small", log_scale=-1.2039728)
    model = make_efficient_morl(config)
    keras.config.set_dtype_policy(policy)
    for path, value in keras_weights(state).items():
        by_path(model)[path].assign(value)
    return model


@pytest.fixture(scope="module")
def source():
    path = sample("data/tiny_tet_1.h5")
    return load(DataConfig("tetrominoes", data_path=str(path), batch_size=2, masks=True))


@pytest.fixture(scope="module")
def found(model, source):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_over_scenes, "MOST_IMAGES", 5)
        return find_slots(model, source, seed=ConstantNoise())


def close(got, expected, name, rtol=ga.OUTPUT_RTOL):
    np.testing.assert_allclose(got, expected, rtol=0, atol=rtol * np.abs(expected).max(), err_msg=name)


def test_latent_ranges(found, expected):
    close(latent_ranges(found.slots), expected["tet/z_range"], "z_range")


def test_activeness(model, found, expected):
    moved = expected["tet/activeness_slot_ids"]
    got = activeness(SlotMover(model), found.slots, expected["tet/z_range"], moved=moved)
    # Variances of values near 0.5 that differ in the fourth digit: the reference is float32.
    close(got, expected["tet/activeness"], "activeness")


def test_traversal(model, found, expected):
    z, n_steps, side = 32, 8, 35
    values = traversal_values(expected["tet/z_range"], n_steps, as_run=True)  # E4
    got = SlotMover(model)(found.slots[0], 1, values)  # [z, n_steps, H, W, 3]
    grid = expected["tet/disentanglement_slot1"].reshape(3, z, side + 2 * GAP, -1)
    starts = GAP + (side + GAP) * np.arange(n_steps)
    for step, start in enumerate(starts):
        pictures = grid[:, :, GAP : GAP + side, start : start + side].transpose(1, 2, 3, 0)
        np.testing.assert_allclose(got[:, step], pictures, atol=5e-4)  # the reference is stored as float16


def test_sample_viz(model, source, expected, monkeypatch):
    monkeypatch.setattr(run_over_scenes, "MOST_IMAGES", 1)
    (one,) = samples(model, source, 1, ConstantNoise())
    arrays = one.arrays()
    prefix = "tet/rinfo/"
    assert {prefix + name for name in arrays} == {name for name in expected if name.startswith(prefix)}
    for name, array in arrays.items():
        assert array.shape == expected[prefix + name].shape
        close(array, expected[prefix + name], name)


class Replayed:
    """Stands for a model that predicted these masks and reconstructions, of one stage, for these images."""

    config = types.SimpleNamespace(K=4, size=35)
    compute_dtype = "float32"

    def __init__(self, images, mask_log_probs, reconstruction):
        self.arrays = [tf.constant(x, tf.float32) for x in (images, mask_log_probs, reconstruction)]

    def __call__(self, images, training, seed):
        known, log_probs, reconstruction = self.arrays
        distance = tf.reduce_sum(tf.square(images[:, None] - known), axis=[2, 3, 4])  # [b, n]
        index = tf.argmin(distance, axis=1)  # [b]
        log_probs = tf.nn.log_softmax(tf.gather(log_probs, index), axis=1)[..., None]  # [b, K, H, W, 1]
        means = tf.repeat(tf.gather(reconstruction, index)[:, None], 4, axis=1)  # [b, K, H, W, 3]
        nothing = tf.zeros([tf.shape(images)[0], 4, 1])
        posterior = DiagonalGaussian(nothing, nothing)
        stage = Stage(posterior, nothing, Decoding(means, log_probs), nothing[:, 0, 0], nothing[:, 0, 0])
        return EfficientMORLOutputs((), (stage,), nothing[:, 0])


@pytest.mark.parametrize("stage", range(6))
def test_scores_of_the_published_model_on_ten_real_scenes(stage):
    real = arrays_of(sample("data/tetrominoes_real10.npz"))
    images = real["images"] / np.float32(255)
    log_probs, reconstruction = (real[name][:, stage] for name in ("pred_mask_logprobs", "recons"))
    source = source_of({"image": images, "mask": real["masks"]}, 4)
    scores = ari_mse_kl(Replayed(images, log_probs, reconstruction), source)
    # Stored as float16, which ties a few masks and rounds the errors.
    np.testing.assert_allclose(scores.ari, real["ari_fg"][stage], atol=2e-3)
    np.testing.assert_allclose(scores.ari_all, real["ari_all"][stage], atol=2e-3)
    np.testing.assert_allclose(scores.mse, real["mse"][stage], rtol=0.02, atol=1e-6)


@pytest.mark.slow
def test_scores_of_clevr(monkeypatch):
    """Predictions of 96 pixels against masks of 192; the numbers are what the original's eval.py gives.

    It computes in float32, and refinement carries rounding on: see `test_emorl_models`.
    """
    path = sample("data/tiny_clevr_1.h5")
    golden = ga.load(Path(__file__).parent / "golden" / "emorl_h.npz")
    with float64():
        model = make_model(golden.meta)
    set_weights(model, golden)
    model.config = dataclasses.replace(model.config, refinement_iters=1)
    last = by_path(model)["decoder/conv_5/kernel"]
    last.assign(60.0 * last)  # for slots that differ
    source = load(DataConfig("clevr6", data_path=str(path), batch_size=2, masks=True, factors=True))
    monkeypatch.setattr(run_over_scenes, "MOST_IMAGES", 1)
    noise = ReferenceNoise(seed=1, tag=90)
    scores = ari_mse_kl(model, source, seed=noise)
    np.testing.assert_allclose(scores.ari, [0.00090561, 0.00043671], atol=2e-5)
    np.testing.assert_allclose(scores.mse, [0.31325334, 0.32233742], rtol=1e-4)
    np.testing.assert_allclose(scores.kl, [1967.5258, 1944.3698], rtol=1e-4)
    assert scores.text_files()["ARI.txt"] == "0.001,0.000\n"
    objects = matched_objects(model, source, seed=noise)
    x = [-0.6139665, 0.4708338, -1.2801225, 0.5926018, 0.19297506]
    np.testing.assert_allclose(objects.factors[:, 0], x, rtol=1e-6)
    lengths = [12.269685, 9.2808275, 9.427606, 11.684575, 12.450872]
    np.testing.assert_allclose(np.linalg.norm(objects.codes, axis=1), lengths, rtol=1e-3)
    first = [-1.61452, -0.89805996, -0.6326949, -1.634162, -1.2908434]
    np.testing.assert_allclose(objects.codes[:, 0], first, atol=5e-3)

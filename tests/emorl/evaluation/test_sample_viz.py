import numpy as np
import pytest

from emorl.evaluation.sample_viz import samples
from tests.emorl.evaluation.painted import source_of
from tests.emorl.small_models import KINDS, NET, SIZE, images, make

#: Stages that are decoded, maps of attention, maps that are stored, and the names of rows.
STAGES = {
    "default": (5, 3, 5, ["layer 1", "layer 2", "layer 3", "refinement 1", "refinement 2"]),
    "no_layer": (3, 0, 0, ["start", "refinement 1", "refinement 2"]),
    "one_layer": (2, 1, 2, ["layer 1", "refinement 1"]),
    "slot_attention": (1, 3, 3, ["iteration 1", "iteration 2", "iteration 3"]),
    "vae": (1, 0, 0, ["reconstruction"]),
}


@pytest.mark.parametrize("kind", STAGES)
def test_arrays_have_the_original_s_names_and_layout(kind):
    T, A, stored, names = STAGES[kind]
    assert kind in KINDS
    K, n = 1 if kind == "vae" else NET["K"], 2
    labels = np.random.default_rng(0).integers(0, 3, [n, 1, 2 * SIZE, 2 * SIZE])
    mask = (labels == np.arange(3)[:, None, None]).astype(np.uint8)
    model, image = make(kind), images(n)
    for i, sample in enumerate(samples(model, source_of({"image": image, "mask": mask}, 2), n, seed=3)):
        assert sample.names == names
        assert sample.views.attention.shape == (A, K, SIZE, SIZE, 1)
        arrays = sample.arrays()
        np.testing.assert_array_equal(arrays["data/image"][0], image[i])
        np.testing.assert_array_equal(arrays["data/true_mask"], 255 * mask[i, None, :, None])
        masks = arrays["outputs/pred_mask"]
        assert masks.shape == (1, T, K, SIZE, SIZE, 1)
        np.testing.assert_allclose(masks.sum(axis=2), 1, atol=1e-5)
        np.testing.assert_allclose(np.exp(arrays["outputs/pred_mask_logits"]), masks, atol=1e-6)
        assert arrays["outputs/attention"].shape == (1, stored, K, SIZE, SIZE, 1)
        if stored > A:
            for extra in range(A, stored):
                np.testing.assert_array_equal(
                    arrays["outputs/attention"][:, extra], arrays["outputs/attention"][:, A - 1]
                )
        # What the last stage shows is what the model returns for the image alone.
        outputs = model(image[i : i + 1], training=False, seed=3)
        means = outputs.decoding.means.numpy()
        expected = (np.exp(outputs.decoding.mask_log_probs) * means).sum(axis=1)
        np.testing.assert_allclose(arrays["outputs/recons"][:, -1], expected, atol=2e-4)
        on_white = masks[:, -1] * means + 1 - masks[:, -1]
        np.testing.assert_allclose(arrays["outputs/components"][:, -1], on_white, atol=2e-4)


def test_without_masks_there_is_no_true_mask():
    (sample,) = samples(make("slot_attention"), source_of({"image": images(1)}, 1), 1)
    assert sample.labels is None
    assert "data/image" in sample.arrays()
    assert "data/true_mask" not in sample.arrays()


def test_layers_show_their_own_samples():
    model, image = make("mixture_iodine_gru"), images(1)
    mask = np.ones([1, 1, SIZE, SIZE], np.uint8)
    (sample,) = samples(model, source_of({"image": image, "mask": mask}, 1), 1, seed=3)
    outputs = model(image, training=False, seed=3)
    decodings = [model.decode(layer.sample) for layer in outputs.layers]
    for t, decoding in enumerate([*decodings, *(stage.decoding for stage in outputs.stages[1:])]):
        np.testing.assert_allclose(sample.views.mask_log_probs[t], decoding.mask_log_probs[0], atol=2e-4)

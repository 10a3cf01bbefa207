"""Collecting and drawing with the models themselves, at tiny sizes."""

import numpy as np
import pytest
import tensorflow as tf

from stacked_capsules.configuration import ConstellationConfig, SCAEConfig
from stacked_capsules.data import DataConfig, load
from stacked_capsules.evaluation.collect import collect, compiled_inference
from stacked_capsules.evaluation.constellation_evaluation import evaluate_constellations, explained_points
from stacked_capsules.evaluation.image_evaluation import presences_and_classes
from stacked_capsules.plots import constellation_plots, image_plots
from stacked_capsules.seeded_models import make_constellation, make_scae

N = 11
#: Nothing to compile.
WHOLE = {"pixel_likelihood": "whole"}


@pytest.fixture(scope="module")
def scae():
    return make_scae(SCAEConfig(canvas_size=28, n_part_caps=4, n_obj_caps=3, colorize_templates=True))


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return {"image": rng.random((N, 28, 28, 1)).astype(np.float32), "label": rng.integers(0, 10, N)}


def test_a_partial_batch_is_not_traced_again_and_changes_no_result(scae, images):
    infer = compiled_inference(scae, presences_and_classes)
    data = tf.data.Dataset.from_tensor_slices(images)
    in_parts = collect(infer, data.batch(4))
    assert infer.experimental_get_tracing_count() == 1
    whole = collect(infer, data.batch(N))
    outputs = scae(images["image"])
    for name, expected in presences_and_classes(images, outputs).items():
        np.testing.assert_allclose(in_parts[name], whole[name], atol=1e-5, err_msg=name)
        np.testing.assert_allclose(whole[name], expected, atol=1e-5, err_msg=name)


def test_noise_at_evaluation_is_what_the_flag_gives(images):
    model = make_scae(SCAEConfig(n_part_caps=4, n_obj_caps=3, eval_noise=True, **WHOLE))
    data = tf.data.Dataset.from_tensor_slices(images).batch(4)
    once, again, other = (
        collect(compiled_inference(model, presences_and_classes, seed), data)["prior"] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(once, again)
    assert np.abs(once - other).max() > 1e-3


@pytest.mark.parametrize("prep", ["none", "sobel"])
def test_pictures_of_images(images, prep):
    model = make_scae(SCAEConfig(n_part_caps=4, n_obj_caps=3, prep=prep, **WHOLE))
    pictures = image_plots(model, {name: tf.constant(value) for name, value in images.items()}, n_examples=2)
    assert len(pictures) == 6
    assert all(picture.dtype == np.uint8 and picture.shape[2] == 3 for picture in pictures.values())


def test_constellations():
    model = make_constellation(ConstellationConfig())
    source = load(DataConfig(dataset="constellation", batch_size=4))
    scores = evaluate_constellations(model, source.whole("valid"), n_examples=10)
    batch = next(iter(source.whole("valid").unbatch().batch(10)))
    _, metrics = model.losses(batch, model(model.inputs_of(batch)))
    assert scores["segmentation_accuracy"] == pytest.approx(float(metrics["segm_acc"]), abs=1e-6)
    np.testing.assert_allclose(
        scores["points_per_capsule"], [float(metrics[f"votes_per_capsule_{k}"]) for k in range(3)], atol=1e-5
    )
    infer = compiled_inference(model, explained_points)
    collect(infer, source.whole("valid"), n_examples=10)
    assert infer.experimental_get_tracing_count() == 1
    assert constellation_plots(model, batch)["constellations"].dtype == np.uint8

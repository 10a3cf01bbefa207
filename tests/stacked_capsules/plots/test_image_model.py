from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from discovery import TrainableModel
from stacked_capsules.configuration import SCAEConfig
from stacked_capsules.plots.image_model import image_plots, relative_mass, template_picture


class Parts(NamedTuple):
    presence: tf.Tensor
    feature: tf.Tensor | None


class Reconstruction(NamedTuple):
    mode: tf.Tensor
    transformed_templates: tf.Tensor


class Outputs(NamedTuple):
    parts: Parts
    templates: tf.Tensor
    caps_presence_prob: tf.Tensor
    mass_explained_by_capsule: tf.Tensor
    reconstruction: Reconstruction
    top_down: Reconstruction


class Copying(TrainableModel):
    """Reconstructs by copying; P parts and O object capsules that say nothing."""

    def __init__(self, n_part_caps, n_obj_caps, prep="none"):
        super().__init__()
        self.n_part_caps, self.n_obj_caps = n_part_caps, n_obj_caps
        self.config = SCAEConfig(prep=prep)

    def inputs_of(self, batch):
        return batch["image"]

    def call(self, images, training=False, seed=None):
        B, _, _, C = images.shape
        templates = tf.repeat(images[:, None], self.n_part_caps, axis=1)  # [B, P, H, W, C]
        reconstruction = Reconstruction(images, templates)
        return Outputs(
            parts=Parts(tf.fill([B, self.n_part_caps], 0.5), None),
            templates=tf.zeros([B, self.n_part_caps, 5, 5, C]),
            caps_presence_prob=tf.zeros([B, self.n_obj_caps]),
            mass_explained_by_capsule=tf.zeros([B, self.n_obj_caps]),
            reconstruction=reconstruction,
            top_down=reconstruction,
        )

    def object_presences(self, images):
        outputs = self(images)
        return outputs.caps_presence_prob, outputs.mass_explained_by_capsule

    def per_capsule_reconstruction(self, outputs):
        return tf.repeat(outputs.reconstruction.mode[:, None], self.n_obj_caps, axis=1)


@pytest.mark.parametrize(("n", "n_channels", "n_caps"), [(1, 1, 4), (9, 3, 24)])
def test_every_picture_is_made_even_if_nothing_is_present(n, n_channels, n_caps):
    images = np.random.default_rng(0).random((n, 12, 12, n_channels)).astype(np.float32)
    batch = {"image": tf.constant(images), "label": tf.range(n, dtype=tf.int64)}
    pictures = image_plots(Copying(n_caps, n_caps), batch, n_examples=3)
    assert list(pictures) == [
        "reconstructions",
        "object_capsules",
        "templates",
        "transformed_templates",
        "presences",
        "label_correlation",
    ]
    for picture in pictures.values():
        assert picture.dtype == np.uint8
        assert picture.ndim == 3
        assert picture.shape[2] == 3
    del batch["label"]
    assert "label_correlation" not in image_plots(Copying(n_caps, n_caps), batch)


def test_shared_templates_are_drawn_once():
    templates = np.random.default_rng(0).random((3, 9, 5, 5, 1))
    shared = template_picture(np.broadcast_to(templates[:1], templates.shape))
    assert shared.shape[0] == 3 * (5 * 4 + 2)
    assert template_picture(templates).shape[1] > shared.shape[1]


def test_relative_mass():
    np.testing.assert_array_equal(
        relative_mass(np.array([[1.0, 4.0], [0.0, 0.0]])), [[0.25, 1.0], [0.0, 0.0]]
    )


def test_edges_are_the_target_of_a_model_that_reconstructs_them():
    batch = {"image": tf.random.stateless_uniform([2, 12, 12, 1], [0, 1])}
    plain = image_plots(Copying(4, 4), batch)["reconstructions"]
    sobel = image_plots(Copying(4, 4, prep="sobel"), batch)["reconstructions"]
    assert sobel.shape[1] * 5 == plain.shape[1] * 6  # a column more

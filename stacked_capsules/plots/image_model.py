"""Pictures of what an image autoencoder sees: one function makes them all, the others draw one each."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf

from protocols import Batch, TrainableModel
from stacked_capsules.plots.activations import activation_image, viridis_swatches
from stacked_capsules.plots.image_grid import fitting_zoom, image_grid, stacked, with_bars, wrapped_grid
from stacked_capsules.plots.label_correlation import label_correlation_plot


def image_plots(model: TrainableModel, batch: Batch, n_examples: int = 6) -> dict[str, np.ndarray]:
    """Draws the pictures of a batch; its first examples are shown, its label correlations are of all of it.

    Args:
        model: an image autoencoder.
        batch: "image" [B, H, W, C] in [0, 1] and, optionally, "label" [B].
        n_examples: how many examples to show.

    Returns:
        name -> uint8 [height, width, 3].
    """
    outputs = model(model.inputs_of(batch), training=False)
    prior = outputs.caps_presence_prob.numpy()  # [B, O]
    posterior = relative_mass(outputs.mass_explained_by_capsule.numpy())  # [B, O]
    first = first_rows(outputs, n_examples)
    per_capsule = model.per_capsule_reconstruction(first).numpy()  # [n, O, H, W, C]
    images = np.asarray(batch["image"][:n_examples])  # [n, H, W, C]
    prior_of_first, posterior_of_first = prior[: len(images)], posterior[: len(images)]
    pictures = {
        "reconstructions": reconstruction_picture(
            images, first.reconstruction.mode.numpy(), first.top_down.mode.numpy()
        ),
        "object_capsules": object_capsule_picture(
            images, first.top_down.mode.numpy(), per_capsule, posterior_of_first
        ),
        "templates": template_picture(first.templates.numpy()),
        "transformed_templates": transformed_template_picture(
            images,
            first.reconstruction.transformed_templates.numpy(),
            first.top_down.transformed_templates.numpy(),
            first.parts.presence.numpy(),
        ),
        "presences": presence_picture(
            images, first.parts.presence.numpy(), prior_of_first, posterior_of_first
        ),
    }
    if "label" in batch:
        pictures["label_correlation"] = label_correlation_plot(
            {"prior presence": prior, "posterior mass": posterior}, np.asarray(batch["label"])
        )
    return pictures


def reconstruction_picture(images: np.ndarray, bottom_up: np.ndarray, top_down: np.ndarray) -> np.ndarray:
    """Draws input, reconstructions and overlays, one example a row; arguments are [n, H, W, C] in [0, 1]."""
    tiles = np.stack(
        [
            as_rgb(images),
            as_rgb(bottom_up),
            as_rgb(top_down),
            overlay(images, bottom_up),
            overlay(images, top_down),
        ],
        axis=1,
    )  # [n, 5, H, W, 3]
    labels = ["input", "bottom-\nup", "top-\ndown", "input red\nb.-up green", "input red\nt.-down green"]
    return image_grid(tiles, labels, zoom=max(2, fitting_zoom(len(labels), images.shape[2])))


def object_capsule_picture(
    images: np.ndarray, top_down: np.ndarray, per_capsule: np.ndarray, mass: np.ndarray
) -> np.ndarray:
    """Draws what each object capsule reconstructs alone, with a bar for its share of the posterior mass.

    Args:
        images: [n, H, W, C].
        top_down: [n, H, W, C], by all capsules together.
        per_capsule: [n, O, H, W, C].
        mass: [n, O] in [0, 1].
    """
    tiles = np.concatenate([images[:, None], top_down[:, None], per_capsule], axis=1)  # [n, 2 + O, H, W, C]
    values = np.pad(mass, [(0, 0), (2, 0)])  # [n, 2 + O]
    labels = ["input", "top-\ndown", *map(str, range(per_capsule.shape[1]))]
    return wrapped_grid(with_bars(as_rgb(tiles), values), labels)


def template_picture(templates: np.ndarray) -> np.ndarray:
    """Draws templates [n, P, h, w, C] in [0, 1]: a row per example, or one set if all examples share it."""
    P, h, w, C = templates.shape[1:]
    if not (templates == templates[:1]).all():
        return wrapped_grid(templates, list(map(str, range(P))))
    n_columns = math.ceil(math.sqrt(P))
    n_rows = math.ceil(P / n_columns)
    tiles = np.ones((n_rows * n_columns, h, w, C), templates.dtype)
    tiles[:P] = templates[0]
    labels = [str(row * n_columns) for row in range(n_rows)]
    return image_grid(tiles.reshape(n_rows, n_columns, h, w, C), row_labels=labels, zoom=4)


def transformed_template_picture(
    images: np.ndarray, bottom_up: np.ndarray, top_down: np.ndarray, presence: np.ndarray
) -> np.ndarray:
    """Draws each part's template in its place: red bottom-up, green top-down; below a bar for its presence.

    Args:
        images: [n, H, W, C].
        bottom_up: [n, P, H, W, C], templates under the poses that the encoder found.
        top_down: [n, P, H, W, C], templates under the winning votes of the object capsules.
        presence: [n, P] in [0, 1], of the parts.
    """
    tiles = np.concatenate(
        [as_rgb(images)[:, None], overlay(bottom_up, top_down)], axis=1
    )  # [n, 1+P, H, W, 3]
    labels = ["input", *map(str, range(bottom_up.shape[1]))]
    return wrapped_grid(with_bars(tiles, np.pad(presence, [(0, 0), (1, 0)])), labels)


def presence_picture(
    images: np.ndarray, parts: np.ndarray, prior: np.ndarray, posterior: np.ndarray, tile_size: int = 96
) -> np.ndarray:
    """Draws presences as coloured cells, capsules in reading order, one example a row.

    Args:
        images: [n, H, W, C].
        parts: [n, P] in [0, 1], presence of part capsules.
        prior: [n, O] in [0, 1], presence of object capsules.
        posterior: [n, O] in [0, 1], relative posterior mass of object capsules.
        tile_size: side of each tile in pixels.
    """
    nearest_row = np.arange(tile_size) * images.shape[1] // tile_size  # [tile_size]
    nearest_column = np.arange(tile_size) * images.shape[2] // tile_size
    enlarged = as_rgb(images)[:, nearest_row[:, None], nearest_column]  # [n, tile_size, tile_size, 3]
    grids = [activation_image(a, tile_size) for a in (parts, prior, posterior)]
    tiles = np.stack([enlarged, *grids], axis=1)  # [n, 4, tile_size, tile_size, 3]
    labels = ["input", "part\npresence", "object\nprior presence", "object\nposterior mass"]
    values = np.linspace(0.0, 1.0, 6)  # [6]
    swatches = viridis_swatches(values, 12, 4 * tile_size // 6)[None]  # [1, 6, 12, width, 3]
    scale = image_grid(swatches, [f"{value:.1f}" for value in values], zoom=1)
    return stacked([image_grid(tiles, labels, zoom=1), scale])


def relative_mass(mass: np.ndarray) -> np.ndarray:
    """Divides [B, O] by each row's largest value; rows of zeros stay."""
    largest = mass.max(-1, keepdims=True)
    return mass / np.where(largest > 0, largest, 1.0)


def overlay(red: np.ndarray, green: np.ndarray) -> np.ndarray:
    """Shows brightness of two images [..., C] in the first two channels of one, [..., 3]."""
    red, green = red.mean(-1), green.mean(-1)
    return np.stack([red, green, np.zeros_like(red)], axis=-1)


def as_rgb(images: np.ndarray) -> np.ndarray:
    """Repeats a single channel: [..., 1] or [..., 3] -> [..., 3]."""
    return np.broadcast_to(images, (*images.shape[:-1], 3))


def first_rows(outputs: Any, n: int) -> Any:
    """Cuts each tensor of nested outputs to its first n rows; None stays."""
    return tf.nest.map_structure(lambda value: None if value is None else value[:n], outputs)

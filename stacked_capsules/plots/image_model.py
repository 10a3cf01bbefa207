"""Pictures of what an image autoencoder sees: one function makes them all, the others draw one each."""

from __future__ import annotations

import math

import numpy as np

from discovery import Batch, TrainableModel
from stacked_capsules.plots.activations import activation_image, viridis_swatches
from stacked_capsules.plots.image_grid import (
    as_rgb,
    fitting_zoom,
    image_grid,
    stacked,
    with_bars,
    wrapped_grid,
)
from stacked_capsules.plots.label_correlation import label_correlation_plot
from stacked_capsules.sobel import normalized_sobel_edges

#: vote_type -> title of the reconstruction that training uses.
TITLES = {"enc": "bottom-up", "soft": "soft votes", "hard": "hard votes"}


def image_plots(model: TrainableModel, batch: Batch, n_examples: int = 6) -> dict[str, np.ndarray]:
    """Draws the pictures of a batch: its first examples, and the label correlations of all of it.

    Args:
        model: an image autoencoder.
        batch: "image" [B, H, W, C] in [0, 1] and, optionally, "label" [B].
        n_examples: how many examples to show.

    Returns:
        name -> uint8 [height, width, 3].
    """
    first = {name: value[:n_examples] for name, value in batch.items()}
    outputs = model(model.inputs_of(first), training=False)
    images = np.asarray(first["image"])  # [n, H, W, C]
    bottom_up, top_down = outputs.reconstruction, outputs.top_down
    presence = outputs.parts.presence.numpy()  # [n, P]
    mass = relative_mass(outputs.mass_explained_by_capsule.numpy())  # [n, O]
    per_capsule = model.per_capsule_reconstruction(outputs).numpy()  # [n, O, H, W, C]
    pictures = {
        "reconstructions": reconstruction_picture(
            images,
            {TITLES[model.config.vote_type]: bottom_up.mode.numpy(), "top-down": top_down.mode.numpy()},
            normalized_sobel_edges(first["image"]).numpy() if model.config.prep == "sobel" else None,
        ),
        "object_capsules": object_capsule_picture(images, top_down.mode.numpy(), per_capsule, mass),
        "templates": template_picture(outputs.templates.numpy()),
        "transformed_templates": transformed_template_picture(
            images, bottom_up.transformed_templates.numpy(), top_down.transformed_templates.numpy(), presence
        ),
        "presences": presence_picture(images, presence, outputs.caps_presence_prob.numpy(), mass),
    }
    if "label" in batch:
        prior, posterior = (p.numpy() for p in model.object_presences(batch["image"]))  # [B, O] each
        pictures["label_correlation"] = label_correlation_plot(
            {"prior presence": prior, "relative posterior mass": relative_mass(posterior)},
            np.asarray(batch["label"]),
        )
    return pictures


def reconstruction_picture(
    images: np.ndarray, reconstructions: dict[str, np.ndarray], target: np.ndarray | None = None
) -> np.ndarray:
    """Draws input, reconstructions, and each of them in green over its target in red.

    Args:
        images: [n, H, W, C] in [0, 1], one row each.
        reconstructions: title -> [n, H, W, C].
        target: [n, H, W, C], what is reconstructed, if not the images themselves.
    """
    columns = {"input": images} if target is None else {"input": images, "target": target}
    columns |= reconstructions
    of = images if target is None else target
    columns |= {f"{title}\non target": overlay(of, image) for title, image in reconstructions.items()}
    tiles = np.stack([as_rgb(image) for image in columns.values()], axis=1)  # [n, columns, H, W, 3]
    return image_grid(tiles, list(columns), zoom=max(2, fitting_zoom(len(columns), images.shape[2])))


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
    """Draws each part's template at its pose, red bottom-up, green top-down, with a bar for its presence.

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
    """Draws presences as colored cells, capsules in reading order, one example per row.

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
    """Divides [B, O] by each row's largest value; rows of zeros stay zero."""
    largest = mass.max(-1, keepdims=True)
    return mass / np.where(largest > 0, largest, 1.0)


def overlay(red: np.ndarray, green: np.ndarray) -> np.ndarray:
    """Shows the brightness of two images [..., C] in the first two channels of one, [..., 3]."""
    red, green = red.mean(-1), green.mean(-1)
    return np.stack([red, green, np.zeros_like(red)], axis=-1)

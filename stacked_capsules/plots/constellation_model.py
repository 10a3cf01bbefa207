"""Pictures of how a constellation autoencoder explains points."""

from __future__ import annotations

import math

import matplotlib
import numpy as np
from PIL import Image, ImageDraw

from discovery import Batch, TrainableModel
from stacked_capsules.plots.image_grid import font, image_grid

CANVAS_SIZE = 160
MARGIN = 8
POINT_RADIUS = 4
WHITE = (255, 255, 255)
GRAY = (120, 120, 120)


def constellation_plots(model: TrainableModel, batch: Batch, n_examples: int = 16) -> dict[str, np.ndarray]:
    """Draws the first examples of a batch next to the votes with which object capsules explain them.

    Args:
        model: a constellation autoencoder.
        batch: "corners" [B, P, 2] in [-1, 1]; "presence" [B, P]; "pattern_id" [B, P] if known.
        n_examples: how many examples to show.

    Returns:
        name -> uint8 [height, width, 3].
    """
    batch = {name: value[:n_examples] for name, value in batch.items()}
    outputs = model(model.inputs_of(batch), training=False)
    corners, presence = np.asarray(batch["corners"]), np.asarray(batch["presence"])
    pattern = np.asarray(batch["pattern_id"]) if "pattern_id" in batch else np.zeros(presence.shape, int)
    return {
        "constellations": constellation_picture(
            corners,
            presence,
            pattern,
            outputs.votes.winner.numpy(),
            outputs.votes.is_from_capsule.numpy(),
            outputs.caps_presence_soft.numpy(),
        )
    }


def constellation_picture(
    points: np.ndarray,
    presence: np.ndarray,
    pattern: np.ndarray,
    winner: np.ndarray,
    capsule: np.ndarray,
    caps_presence: np.ndarray,
) -> np.ndarray:
    """Draws, for each example, its points, the votes that explain them and how present each capsule is.

    On the left are the points, in white, with a shape for each pattern; on the right, their outlines in gray
    and the winning votes in the color of their capsule; below, a bar in that color, whose length is the
    capsule's presence. Points that are absent, outside [-1, 1] or not finite are not drawn.

    Args:
        points: [n, P, 2], (x, y); x grows to the right and y downwards.
        presence: [n, P]; a point is present above 0.5.
        pattern: int [n, P].
        winner: [n, P, 2].
        capsule: int [n, P], which capsule the winner is from.
        caps_presence: [n, O] in [0, 1].

    Returns:
        uint8 [height, width, 3].
    """
    colors = capsule_colors(caps_presence.shape[1])  # [O, 3]
    tiles = []
    for n in range(len(points)):
        there = presence[n] > 0.5  # [P]
        shapes, votes_from = pattern[n][there], capsule[n][there]
        given, explained = new_canvas(), new_canvas()
        draw_points(given, points[n][there], [WHITE] * len(shapes), shapes)
        draw_points(explained, points[n][there], [GRAY] * len(shapes), shapes, filled=False)
        draw_points(explained, winner[n][there], [tuple(colors[k]) for k in votes_from], shapes)
        seam = np.full((given.height, 2, 3), 255, np.uint8)
        pair = np.concatenate([np.asarray(given), seam, np.asarray(explained)], axis=1)
        tiles.append(np.concatenate([pair, capsule_legend(colors, caps_presence[n], pair.shape[1])], axis=0))
    n_columns = min(4, len(tiles))
    n_rows = math.ceil(len(tiles) / n_columns)
    grid = np.full((n_rows * n_columns, *tiles[0].shape), 255, np.uint8)
    grid[: len(tiles)] = tiles
    title = "points   |   winning votes, colored by capsule"
    return image_grid(grid.reshape(n_rows, n_columns, *tiles[0].shape) / 255.0, [title] * n_columns, zoom=1)


def points_picture(points: np.ndarray, presence: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    """Draws examples side by side, their present points in the color of their pattern.

    Args:
        points: [n, P, 2] in [-1, 1].
        presence: [n, P]; a point is there above 0.5.
        pattern: int [n, P].

    Returns:
        uint8 [height, width, 3].
    """
    colors = capsule_colors(int(pattern.max()) + 1)  # [G, 3]
    canvases = []
    for n in range(len(points)):
        there = presence[n] > 0.5  # [P]
        canvas = new_canvas()
        draw_points(
            canvas, points[n][there], [tuple(colors[g]) for g in pattern[n][there]], pattern[n][there]
        )
        canvases.append(np.asarray(canvas))
    return image_grid(np.stack(canvases)[None] / 255.0, [""] * len(canvases), zoom=1)


def new_canvas() -> Image.Image:
    """Makes a black canvas with room for points on its border."""
    side = CANVAS_SIZE + 2 * MARGIN
    return Image.new("RGB", (side, side))


def draw_points(
    canvas: Image.Image,
    points: np.ndarray,
    colors: list[tuple[int, int, int]],
    shapes: np.ndarray,
    filled: bool = True,
) -> None:
    """Draws points [P, 2], (x, y) in [-1, 1], onto a canvas; others are left out."""
    draw = ImageDraw.Draw(canvas)
    for point, color, shape in zip(points, colors, shapes, strict=True):
        if not (np.abs(point) <= 1.0).all():  # false for NaN, too
            continue
        x, y = (MARGIN + (float(c) + 1.0) / 2.0 * (CANVAS_SIZE - 1) for c in point)
        style = {"fill": color} if filled else {"outline": color}
        if shape % 3 == 0:
            draw.circle((x, y), POINT_RADIUS, **style)
        else:  # a square, or one standing on its corner
            draw.regular_polygon((x, y, POINT_RADIUS + 1), 4, rotation=45 * (int(shape) % 3 - 1), **style)


def capsule_legend(colors: np.ndarray, presence: np.ndarray, width: int, height: int = 16) -> np.ndarray:
    """Draws a bar for each capsule, whose length is its presence: uint8 [height, width, 3]."""
    legend = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(legend)
    cell = width / len(colors)
    for k, (color, p) in enumerate(zip(colors, np.clip(np.nan_to_num(presence), 0.0, 1.0), strict=True)):
        left, right = k * cell + 2, (k + 1) * cell - 2
        draw.rectangle((left, 3, right, height - 2), fill=(225, 225, 225))
        draw.rectangle((left, 3, left + max(3.0, p * (right - left)), height - 2), fill=tuple(color))
        if cell >= 60:
            draw.text(((left + right) / 2, height / 2 + 1), f"{k}: {p:.2f}", "black", font(), anchor="mm")
    return np.asarray(legend)


def capsule_colors(n_caps: int) -> np.ndarray:
    """Returns a color for each capsule, as distinct as possible: uint8 [O, 3]."""
    if n_caps <= 10:
        colors = matplotlib.colormaps["tab10"](np.arange(n_caps))
    else:
        colors = matplotlib.colormaps["hsv"](np.arange(n_caps) / n_caps)
    return np.round(255 * colors[:, :3]).astype(np.uint8)

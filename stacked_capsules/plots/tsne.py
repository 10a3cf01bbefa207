"""The capsule presences of a whole set in two dimensions."""

from __future__ import annotations

import matplotlib
import numpy as np
from sklearn.manifold import TSNE

from discovery import UserError
from stacked_capsules.plots.figure import new_figure, rendered

PERPLEXITY = 50.0
MAX_POINTS = 10_000


def tsne_plot(presences: np.ndarray, labels: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
    """Embeds presences by t-SNE and draws a point for each example, colored by its label.

    Args:
        presences: [N, O]; if there are more than 10,000 examples, that many are chosen at random.
        labels: int [N]; by default, all points have one color.
        seed: of the choice and the embedding.

    Returns:
        uint8 [height, width, 3].

    Raises:
        UserError: there are fewer than four examples.
    """
    if len(presences) < 4:
        raise UserError(f"t-SNE: needs at least 4 examples, not {len(presences)}; evaluate on a larger set")
    labels = np.zeros(len(presences), int) if labels is None else labels
    chosen = np.arange(len(presences))
    if len(chosen) > MAX_POINTS:
        chosen = np.random.default_rng(seed).choice(len(chosen), MAX_POINTS, replace=False)
    points, labels = tsne_embedding(presences[chosen], seed), labels[chosen]  # [n, 2], [n]
    figure = new_figure(8.8, 8)
    axes = figure.subplots()
    classes = np.unique(labels)
    for index, label in enumerate(classes):
        color = matplotlib.colormaps["tab10" if len(classes) <= 10 else "tab20"](index % 20)
        x, y = points[labels == label].T
        axes.scatter(x, y, s=4 if len(points) > 2000 else 16, color=color, label=str(label), linewidths=0)
    if len(classes) > 1:
        figure.legend(title="label", markerscale=3 if len(points) > 2000 else 1.5, loc="outside right upper")
    axes.set(title=f"t-SNE of capsule presences, {len(points):,} examples", xticks=[], yticks=[])
    return rendered(figure)


def tsne_embedding(presences: np.ndarray, seed: int) -> np.ndarray:
    """Embeds [N, O] in two dimensions, [N, 2]; small sets get a smaller perplexity than 50."""
    perplexity = min(PERPLEXITY, (len(presences) - 1) / 3)
    # A random start, since the start from principal components fails if all presences are equal.
    return TSNE(2, perplexity=perplexity, init="random", random_state=seed).fit_transform(presences)

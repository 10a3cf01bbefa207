"""How well each capsule distinguishes labels."""

from __future__ import annotations

import numpy as np

from stacked_capsules.plots.figure import new_figure, rendered


def label_correlation_plot(presences: dict[str, np.ndarray], labels: np.ndarray) -> np.ndarray:
    """Draws |correlation| of each capsule's presence with each label, one map per kind of presence.

    Args:
        presences: title -> [B, O].
        labels: int [B]; labels that do not occur get no row.

    Returns:
        uint8 [height, width, 3].
    """
    classes = np.unique(labels)
    one_hot = (labels[:, None] == classes).astype(np.float64)  # [B, classes]
    n_capsules = next(iter(presences.values())).shape[1]
    cell = max(0.25, 4.0 / n_capsules)
    height = 0.9 + cell * len(classes)
    figure = new_figure(1.6 + cell * n_capsules, height * len(presences))
    for axes, (title, presence) in zip(
        figure.subplots(len(presences), squeeze=False)[:, 0], presences.items(), strict=True
    ):
        correlation_map = axes.imshow(
            np.abs(correlation(one_hot, presence)), vmin=0.0, vmax=1.0, aspect="auto"
        )
        axes.set(title=title, xlabel="object capsule", ylabel="label", yticks=np.arange(len(classes)))
        axes.set_yticklabels([str(c) for c in classes])
        axes.set_xticks(np.arange(0, n_capsules, 1 if n_capsules <= 20 else 5))
        figure.colorbar(correlation_map, ax=axes, label="|correlation|")
    return rendered(figure)


def correlation(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Correlates columns over rows: [B, M] and [B, N] -> [M, N]; 0 for a column that does not vary."""
    x, y = (a - a.mean(0) for a in (np.asarray(x, np.float64), np.asarray(y, np.float64)))
    covariance = x.T @ y  # [M, N], times B
    scale = np.linalg.norm(x, axis=0)[:, None] * np.linalg.norm(y, axis=0)  # [M, N]
    varies = scale > 1e-12 * len(x)
    return np.where(varies, covariance / np.where(varies, scale, 1.0), 0.0)

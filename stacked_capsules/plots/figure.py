"""Matplotlib figures as arrays, without a display and without global state."""

from __future__ import annotations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> Figure:
    """Makes a figure, with sizes in hundreds of pixels."""
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def rendered(figure: Figure) -> np.ndarray:
    """Draws a figure from `new_figure`: uint8 [height, width, 3]."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()

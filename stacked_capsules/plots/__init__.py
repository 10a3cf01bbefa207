"""Plots: arrays in, uint8 images [height, width, 3] out; nothing here opens a display."""

from stacked_capsules.plots.constellation_model import constellation_plots
from stacked_capsules.plots.image_model import image_plots
from stacked_capsules.plots.learning_curves import learning_curves_plot
from stacked_capsules.plots.tsne import tsne_plot

__all__ = ["constellation_plots", "image_plots", "learning_curves_plot", "tsne_plot"]

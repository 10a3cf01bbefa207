"""Plots of slots: arrays in, uint8 images [height, width, 3] out."""

from emorl.plots.scene_pictures import scenes_picture
from emorl.plots.slots import emorl_plots, stages_picture
from emorl.plots.traversals import traversal_picture

__all__ = ["emorl_plots", "scenes_picture", "stages_picture", "traversal_picture"]

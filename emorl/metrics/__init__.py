"""Scores of segmentations, reconstructions and representations."""

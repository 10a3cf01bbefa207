"""Evaluation of trained models: segmentations, reconstructions, what each latent represents."""

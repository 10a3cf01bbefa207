"""What trained models are worth: segmentations, reconstructions, what each latent stands for."""

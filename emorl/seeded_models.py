"""From options to a built model, with initial weights drawn from a seed."""

from __future__ import annotations

from emorl.configuration import EMORLConfig, SlotAttentionConfig, VAEConfig
from emorl.efficient_morl import EfficientMORL
from emorl.slot_attention import SlotAttention
from emorl.vae import VAE


def make_efficient_morl(config: EMORLConfig, seed: int = 0) -> EfficientMORL:
    """Builds EfficientMORL with initial weights drawn from `seed`.

    Raises:
        UserError: for invalid options.
    """
    model = EfficientMORL(config, init_seed=seed, name="efficient_morl")
    model.build((None, config.size, config.size, 3))
    return model


def make_slot_attention(config: SlotAttentionConfig, seed: int = 0) -> SlotAttention:
    """Builds the Slot Attention baseline with initial weights drawn from `seed`.

    Raises:
        UserError: for invalid options.
    """
    model = SlotAttention(config, init_seed=seed, name="slot_attention")
    model.build((None, config.size, config.size, 3))
    return model


def make_vae(config: VAEConfig, seed: int = 0) -> VAE:
    """The autoencoder without slots, with initial weights drawn from `seed`.

    Raises:
        UserError: for options that make no model.
    """
    model = VAE(config, init_seed=seed, name="vae")
    model.build((None, config.size, config.size, 3))
    return model

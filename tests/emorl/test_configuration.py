"""Options that make no model are refused in one line that says what to do."""

import pytest

from discovery import UserError
from emorl.configuration import EMORLConfig, SlotAttentionConfig
from emorl.dual_gru import GRUCell
from emorl.image_encoder import ImageEncoder
from emorl.seeded_models import make_efficient_morl, make_slot_attention


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"K": 0}, "K must be an integer of at least 1, not 0"),
        ({"z_size": -3}, "z_size must be an integer of at least 1, not -3"),
        ({"encoder_channels": 0}, "encoder_channels must be an integer of at least 1, not 0"),
        ({"decoder_channels": -1}, "decoder_channels must be an integer of at least 0, not -1"),
        ({"z_size": 2.5}, "z_size must be an integer of at least 1, not 2.5"),
        ({"stochastic_layers": -1}, "stochastic_layers must be an integer of at least 0, not -1"),
        ({"refinement_iters": -1}, "refinement_iters must be an integer of at least 0, not -1"),
        ({"input_size": (3, 0, 0)}, r"input_size \(H\) must be an integer of at least 1, not 0"),
        ({"input_size": (3, 32, 64)}, "input_size is 32 x 64; images must be square"),
        ({"input_size": (1, 32, 32)}, "input_size has 1 channels; the models take color images"),
        ({"input_size": (32, 32)}, r"input_size must be \[3, H, W\], not \[32, 32\]"),
        ({"image_decoder": "big"}, "'big' renders 96 x 96 pixels; for 64 x 64 use 'iodine' or 'small'"),
        ({"image_decoder": "huge"}, "image_decoder must be one of small, iodine, big, not 'huge'"),
        ({"image_likelihood": "gmm"}, "image_likelihood must be one of Gaussian, GMM, not 'gmm'"),
        ({"log_scale": float("nan")}, "log_scale must be a finite number, not nan"),
        ({"geco_warm_start": -1}, "geco_warm_start must be an integer of at least 0, not -1"),
        ({"geco_ema_alpha": 1.5}, "geco_ema_alpha must be from 0 to 1, not 1.5"),
        ({"kl_beta_init": -1}, "kl_beta_init must be at least 0, not -1"),
        ({"bottom_up_prior": True}, "bottom_up_prior and reverse_prior_plusplus are mutually exclusive"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(UserError, match=message):
        make_efficient_morl(EMORLConfig(**options))
    if set(options) <= {"K", "z_size", "input_size", "image_decoder", "encoder_channels", "decoder_channels"}:
        with pytest.raises(UserError, match=message):
            make_slot_attention(SlotAttentionConfig(**options))


def test_options_that_do_not_conflict():
    assert EMORLConfig(bottom_up_prior=True, reverse_prior_plusplus=False).size == 64
    assert EMORLConfig(input_size=[3, 96, 96], image_decoder="big").input_size == (3, 96, 96)


def test_unknown_rules_for_weights():
    with pytest.raises(UserError, match="weights must be 'uniform' or 'normal', not 'zeros'"):
        GRUCell(3, weights="zeros")
    with pytest.raises(UserError, match="weights must be 'xavier' or 'torch', not 'keras'"):
        ImageEncoder(8, weights="keras")

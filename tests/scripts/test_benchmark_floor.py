import math

import pytest

from emorl.experiments import EMORLConfig, make_efficient_morl
from scripts.benchmark_cases import CASES
from scripts.benchmark_floor import WORK, constellation, convolution, emorl
from stacked_capsules.experiments import ConstellationConfig, make_constellation


def test_cases_are_those_of_the_benchmark():
    assert set(WORK) == set(CASES)


def test_counts_the_weights_of_the_constellation_model():
    model = make_constellation(ConstellationConfig())
    matrices = sum(math.prod(w.shape) for w in model.trainable_weights if "kernel" in w.path)
    assert constellation().moved == pytest.approx(8 * 4.0 * matrices, rel=0.001)


@pytest.mark.parametrize(("decoder", "size", "slots", "z"), [("small", 35, 4, 32), ("iodine", 96, 7, 64)])
def test_counts_the_models_convolutions(decoder, size, slots, z):
    config = EMORLConfig(K=slots, z_size=z, input_size=(3, size, size), image_decoder=decoder)
    model = make_efficient_morl(config)
    encoder = sum(2.0 * size**2 * math.prod(conv.kernel.shape) for conv in model.encoder.convolutions)
    per_pixel = 2.0 * size**2 * 2 * 64 * (64 + z)  # the MLP of each pixel, keys and values
    grid, decoding = model.decoder.grid_size, 0.0
    for i, conv in enumerate(model.decoder.convolutions):
        border = 2 if decoder == "small" else 0
        grid += border - conv.kernel.shape[0] + 1
        if i > 0:
            decoding += slots * convolution(1, grid, *(conv.kernel.shape[k] for k in (0, 2, 3)))
    assert grid == size
    want = encoder + per_pixel + 5 * decoding
    assert emorl(False, 1, size, slots, 2, decoder).products == pytest.approx(want)

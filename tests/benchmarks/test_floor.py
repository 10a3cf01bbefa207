import math

import pytest

from benchmarks.cases import CASES
from benchmarks.floor import (
    WORK,
    Work,
    constellation,
    convolution,
    emorl,
    h100_seconds,
    h100_table,
    measured_there,
)
from discovery import UserError
from emorl.configuration import EMORLConfig
from emorl.seeded_models import make_efficient_morl
from stacked_capsules.configuration import ConstellationConfig
from stacked_capsules.seeded_models import make_constellation


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


def test_an_ideal_h100_is_bound_by_arithmetic_or_by_bytes():
    assert h100_seconds(Work(494.7e12, 66.9e12, 3.35e12), "TF32") == pytest.approx(2.0)
    assert h100_seconds(Work(494.7e12, 0.0, 3 * 3.35e12), "TF32") == pytest.approx(3.0)
    assert h100_seconds(Work(989.4e12, 0.0, 0.0), "bfloat16") == pytest.approx(1.0)


def test_what_was_measured_there_stands_beside_it():
    rows = [line.strip("| ").split(" | ") for line in h100_table(measured_there(["scae_mnist_train=400"]))]
    measured = {row[0]: row[-1] for row in rows[2:] if len(row) == len(rows[0])}
    assert measured == {"scae_mnist_train": "2.50"}
    assert [row[0].rstrip(" |") for row in rows[2:]] == [case for case in WORK if case.endswith("_train")]
    for text in ("scae=400", "scae_mnist_train", "scae_mnist_train=-1", "scae_mnist_train=nan"):
        with pytest.raises(UserError, match="give CASE=NUMBER"):
            measured_there([text])

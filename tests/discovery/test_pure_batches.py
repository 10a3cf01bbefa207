"""Batches without an input pipeline are those of the pipeline, epochs and chunks crossed."""

import h5py
import numpy as np
import pytest
import tensorflow as tf

import emorl.data
import stacked_capsules.data
from tests.emorl.data.test_multi_object_records import TETROMINOES
from tests.emorl.data.test_multi_object_records import write as write_records


def h5_file(folder):
    with h5py.File(folder / "a.h5", "w") as file:
        file["train/imgs"] = np.random.default_rng(0).integers(0, 256, (5, 6, 6, 3), np.uint8)
    return folder / "a.h5"


def records_file(folder):
    write_records(folder / "a.tfrecords", TETROMINOES, 9)
    return folder / "a.tfrecords"


def scenes(**options):
    return emorl.data.load(emorl.data.DataConfig(batch_size=3, **options))


def digits(**options):
    return stacked_capsules.data.load(stacked_capsules.data.DataConfig(dataset="digits", **options))


#: A source, and the step to begin with.
SOURCES = {
    "shifted images": (lambda folder: digits(batch_size=600, canvas_size=32), 1),
    "images, sorted": (lambda folder: digits(batch_size=600, canvas_size=32, epoch_order="sort"), 1),
    "images in order": (lambda folder: digits(batch_size=600, shuffle=False), 2),
    "constellations": (
        lambda folder: stacked_capsules.data.load(
            stacked_capsules.data.DataConfig(
                *("constellation", None, 2), gaussian_noise=0.1, use_scale_schedule=True, schedule_steps=300
            )
        ),
        98,
    ),
    "tetrominoes": (lambda folder: scenes(), 7),
    "multi_dsprites": (lambda folder: scenes(dataset="multi_dsprites"), 7),
    "h5": (lambda folder: scenes(data_path=str(h5_file(folder))), 2),
    "records": (lambda folder: scenes(data_path=str(records_file(folder)), n_test=2), 2),
    "records in order": (
        lambda folder: scenes(data_path=str(records_file(folder)), n_test=2, shuffle=False),
        2,
    ),
}


@pytest.mark.parametrize("name", SOURCES)
def test_they_are_those_of_the_pipeline(name, tmp_path):
    make, start = SOURCES[name]
    source, n = make(tmp_path), 4
    arrays = source.pure.arrays(start + n)
    assert all(a.dtype in (np.uint8, np.uint16, np.int32, np.float32) for a in arrays.values())

    @tf.function(jit_compile=True)
    def batches(arrays, first):
        batch = source.pure.between(arrays, first, n)
        return [batch(first + i) for i in range(n)]

    found = batches({k: tf.constant(v) for k, v in arrays.items()}, tf.constant(start, tf.int64))
    for got, want in zip(found, source.train(start), strict=False):
        assert got.keys() == want.keys()
        for key, value in want.items():
            assert (got[key].dtype, got[key].shape) == (value.dtype, value.shape)
            np.testing.assert_allclose(got[key], value, rtol=0, atol=1e-6)

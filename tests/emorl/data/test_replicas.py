import itertools

import numpy as np
import pytest
import tensorflow as tf

from emorl.data import DataConfig, generator_of, load
from emorl.data.h5_writer import write_generated


@pytest.mark.parametrize("stored", [False, True], ids=["generated", "h5"])
def test_replicas_get_contiguous_rows_of_the_same_batches(stored, tmp_path):
    path = tmp_path / "a.h5"
    if stored:
        write_generated(path, generator_of("tetrominoes"), 20, 4, seed=0)
    config = DataConfig(data_path=str(path) if stored else "", batch_size=6)
    whole = list(itertools.islice(load(config).train(2), 3))
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())
    split = iter(strategy.experimental_distribute_dataset(load(config).train(2)))
    for batch, parts in zip(whole, split, strict=False):
        for i, part in enumerate(strategy.experimental_local_results(parts["image"])):
            np.testing.assert_array_equal(part, batch["image"][3 * i : 3 * (i + 1)])

import h5py
import numpy as np
import pytest

from discovery import Seed, UserError
from emorl.data import DataConfig, generator_of, load
from emorl.data.generated import TRAIN, draw_set
from emorl.data.h5_writer import write_generated


@pytest.mark.parametrize(("dataset", "n_entities"), [("tetrominoes", 4), ("multi_dsprites", 6)])
def test_the_originals_layout(dataset, n_entities, tmp_path):
    path = tmp_path / "new" / "a.h5"
    written = []
    write_generated(path, generator_of(dataset), 70, 10, seed=4, progress=written.append)
    assert sum(written) == 80
    assert [p.name for p in path.parent.iterdir()] == ["a.h5"]
    expected = draw_set(generator_of(dataset), Seed.of(4).fold(TRAIN), 70)
    with h5py.File(path) as file:
        assert sorted(file) == ["test", "train"]
        images, masks = file["train/imgs"], file["train/masks"]
        assert images.dtype == masks.dtype == np.uint8
        assert masks.shape == (70, n_entities, *images.shape[1:3], 1)
        np.testing.assert_array_equal(images, expected.image)
        np.testing.assert_array_equal(masks, 255 * expected.mask.numpy()[..., None])
        np.testing.assert_array_equal(file["train/factors"], expected.factors)
        assert len(file["test/imgs"]) == 10
        assert not {i.tobytes() for i in images[:]} & {i.tobytes() for i in file["test/imgs"][:]}
    source = load(DataConfig(dataset, str(path), batch_size=70, masks=True, factors=True))
    batch = next(iter(source.whole("train")))
    np.testing.assert_array_equal(batch["mask"], expected.mask)


def test_what_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_generated(tmp_path / "file" / "a.h5", generator_of("tetrominoes"), 1, 1, seed=0)

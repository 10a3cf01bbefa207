import itertools
import json

import numpy as np
import pytest
from PIL import Image

from discovery import UserError
from emorl.data import DataConfig, load

N = 20


@pytest.fixture
def folder(tmp_path):
    """A small folder as it is published, spread over two subfolders."""
    random = np.random.default_rng(0)
    for i in range(N):
        at = tmp_path / "clevrtex_full" / str(i // 12)
        at.mkdir(parents=True, exist_ok=True)
        stem = at / f"CLEVRTEX_full_{i:06d}"
        coarse = random.integers(0, 256, (24, 32, 4), dtype=np.uint8)
        coarse[..., 3] = 255
        Image.fromarray(np.kron(coarse, np.ones((10, 10, 1), np.uint8))).save(f"{stem}.png")
        labels = np.kron(random.integers(0, 4, (24, 32), dtype=np.uint8), np.ones((10, 10), np.uint8))
        palette = Image.fromarray(labels).convert("P") if i % 2 else Image.fromarray(labels)
        palette.save(f"{stem}_flat.png")
        objects = [
            {
                "material": f"m{(i + j) % 3}",
                "shape": "cube" if j else "sphere",
                "size": "large",
                "rotation": 7.5 * j,
            }
            for j in range(3)
        ]
        at.joinpath(f"{stem.name}.json").write_text(json.dumps({"ground_material": "g", "objects": objects}))
    return tmp_path


def take(dataset, n=99):
    return [{k: v.numpy() for k, v in batch.items()} for batch in itertools.islice(dataset, n)]


def config(folder, **options):
    return DataConfig("clevrtex", str(folder), masks=True, factors=True, batch_size=4, **options)


def test_cropped_and_resized_as_the_evaluator_does(folder):
    batch = take(load(config(folder)).whole("valid"))[0]  # the first tenth: two scenes
    assert {k: v.shape for k, v in batch.items()} == {
        "image": (2, 128, 128, 3),
        "mask": (2, 11, 128, 128),
        "factors": (2, 11, 5),
        "visibility": (2, 11),
    }
    for i in range(2):
        stem = f"{folder}/clevrtex_full/0/CLEVRTEX_full_{i:06d}"
        box = (64, 24, 256, 216)
        image = Image.open(f"{stem}.png").crop(box).resize((128, 128), Image.Resampling.BILINEAR)  # RGBA
        labels = Image.open(f"{stem}_flat.png").crop(box).resize((128, 128), Image.Resampling.NEAREST)
        np.testing.assert_array_equal(np.round(255 * batch["image"][i]), np.array(image)[..., :3])
        np.testing.assert_array_equal(batch["mask"][i].argmax(axis=0), np.array(labels))
        assert (batch["mask"][i].sum(axis=0) == 1).all()


def test_factors(folder):
    factors = take(load(config(folder)).whole("valid"))[0]["factors"]
    np.testing.assert_array_equal(factors[1, :, 4], [1] * 4 + [0] * 7)
    np.testing.assert_array_equal(factors[1, 1:4, 0], [0, 7.5, 15])
    np.testing.assert_array_equal(factors[1, 1:4, 2], [1, 2, 0])  # materials m1, m2, m0
    np.testing.assert_array_equal(factors[1, 1:4, 3], [1, 0, 0])  # sphere, cube, cube


def test_parts_are_disjoint_and_training_resumes_exactly(folder):
    source = load(config(folder))
    valid = {image.tobytes() for batch in take(source.whole("valid")) for image in batch["image"]}
    train = [image.tobytes() for batch in take(source.whole("train")) for image in batch["image"]]
    assert len(valid) == N // 10
    assert len(set(train)) == N - N // 5
    assert not valid & set(train)
    unbroken = take(source.train(0), 7)
    for a, b in zip(unbroken[5:], take(source.train(5), 2), strict=True):
        np.testing.assert_array_equal(a["image"], b["image"])
    assert sorted(image.tobytes() for batch in unbroken[:4] for image in batch["image"]) == sorted(train)


def test_the_folder_itself_will_do(folder):
    assert take(load(config(folder / "clevrtex_full")).train(0), 1)


def test_out_of_distribution_scenes_are_for_testing(folder):
    (folder / "clevrtex_full").rename(folder / "clevrtex_outd")
    for path in (folder / "clevrtex_outd").rglob("*.*"):
        path.rename(path.with_name(path.name.replace("full", "outd")))
    source = load(config(folder, clevrtex_variant="outd"))
    assert sum(len(batch["image"]) for batch in take(source.whole("valid"))) == N
    with pytest.raises(UserError, match="only for testing"):
        source.train(0)


def test_wrong_folders(folder):
    at = folder / "clevrtex_full" / "0"
    with pytest.raises(UserError, match="no such folder"):
        load(config(folder, clevrtex_variant="camo"))
    (at / "CLEVRTEX_full_000000.json").write_text("{")
    with pytest.raises(UserError, match=r"000000\.json: cannot be read"):
        load(config(folder))
    (at / "CLEVRTEX_full_000000_flat.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"000000_flat\.png: cannot be read"):
        load(DataConfig("clevrtex", str(folder), masks=True)).whole("valid")
    (at / "CLEVRTEX_full_000003.png").unlink()
    with pytest.raises(UserError, match="1 scenes are missing; the first is number 000003"):
        load(config(folder))

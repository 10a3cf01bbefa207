"""Models of configurations and of runs, and what they answer about scenes."""

import numpy as np
import pytest

import emorl
from discovery import UserError
from tests.written_runs import write_run

SIZE = {"input_size": (3, 12, 12), "K": 2, "z_size": 4, "image_decoder": "small"}
KINDS = {
    "tetrominoes": "EfficientMORL",
    "slot_attention_tetrominoes": "SlotAttention",
    "vae_tetrominoes": "VAE",
}


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(size=(3, 12, 12, 3)).astype(np.float32)


@pytest.fixture(scope="module", params=KINDS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def model(name):
    options = {option: value for option, value in SIZE.items() if (name, option) != ("vae_tetrominoes", "K")}
    return emorl.build(name, seed=1, **options)


def test_build_reads_the_configuration():
    model = emorl.build("tetrominoes")
    assert model.config.input_size == (3, 35, 35)
    assert (model.config.log_scale, model.config.image_likelihood) == (-1.2039728, "Gaussian")
    assert emorl.build("clevr6", seed=3).init_seed == 3


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("cat", {}, "there is no configuration 'cat'; choose one of clevr6, "),
        ("mnist", {}, "for the model 'scae': stacked_capsules.build takes it; choose one of clevr6, "),
        ("tetrominoes", {"slots": 3}, "slots: no such option"),
        ("tetrominoes", {"K": 0}, "K must be an integer of at least 1"),
    ],
)
def test_mistakes_in_building(name, options, words):
    with pytest.raises(UserError) as error:
        emorl.build(name, **options)
    assert words in str(error.value)
    assert "svhn" not in str(error.value)  # what the other package has is not offered


def test_answers_are_those_of_a_call(model, images):
    outputs, encoding, segments = model(images), model.encode(images), model.segment(images)
    np.testing.assert_allclose(encoding.slots, outputs.slots, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.sum(encoding.masks, 1), np.ones((3, 12, 12)), rtol=1e-5)
    np.testing.assert_array_equal(segments, np.argmax(encoding.masks, 1))
    means, masks = outputs.decoding.means.numpy(), encoding.masks.numpy()[..., None]
    np.testing.assert_allclose(model.reconstruct(images), (means * masks).sum(1), rtol=1e-5, atol=1e-6)


def test_runs(name, model, images, tmp_path):
    curriculum = {"refinement_curriculum": "-1:3,6:1,7:2"}
    prefix = write_run(tmp_path, KINDS[name], model.config, model, **curriculum)
    loaded = emorl.load_run(tmp_path)
    if name == "tetrominoes":
        assert loaded.config.refinement_iters == 1  # as in step 6, the last of seven
        loaded.config = model.config
    np.testing.assert_array_equal(loaded.encode(images).slots, model.encode(images).slots)

    flags = (tmp_path / "flags.txt").read_text()
    (tmp_path / "flags.txt").write_text(flags.replace("--z_size=4", "--z_size=5"))
    with pytest.raises(UserError, match="belongs to another architecture"):
        emorl.load_run(prefix)
    (tmp_path / "flags.txt").write_text(flags.replace(f"model={KINDS[name]}", "model=scae"))
    with pytest.raises(
        UserError, match=r"not for EfficientMORL or SlotAttention or VAE: stacked_capsules\.load_run takes it"
    ):
        emorl.load_run(prefix)
    (tmp_path / "flags.txt").unlink()
    with pytest.raises(UserError, match="is not a run's folder"):
        emorl.load_run(prefix)

"""Models of configurations and of runs, and what they answer about images and constellations."""

import keras
import numpy as np
import pytest

import stacked_capsules
from discovery import UserError
from discovery.flag_files import options_of, read_config, replaced
from stacked_capsules.configuration import SCAEConfig
from stacked_capsules.seeded_models import make_scae
from tests.written_runs import write_run

SMALL = {"n_part_caps": 3, "n_obj_caps": 2, "template_size": 5}
CONFIG = replaced(options_of(SCAEConfig, read_config("digits", {"scae": SCAEConfig})), SMALL)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(size=(3, 16, 16, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    return stacked_capsules.build("digits", **SMALL)


def test_build_reads_the_configuration(model):
    assert model.image_shape == (16, 16, 1)
    assert model.part_encoder.n_caps == 3
    other = stacked_capsules.build("digits", **SMALL, seed=5)
    kernel, another = (m.part_encoder.convs[0].kernel.numpy() for m in (model, other))
    assert (kernel != another).any()
    constellation = stacked_capsules.build("constellation", n_caps=4)
    assert constellation.decoder.n_caps == 4
    assert constellation.config.posterior_within_example_sparsity_weight == 0.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("cat",), "there is no configuration 'cat'; choose one of cifar10, "),
        (("tetrominoes",), "for the model 'EfficientMORL': emorl.build takes it; choose one of cifar10, "),
        (("digits", {"n_caps": 3}), "n_caps: no such option"),
        (("digits", {"n_part_caps": 0}), "n_part_caps must be an integer of at least 1, not 0"),
    ],
)
def test_mistakes_in_building(arguments, words):
    name, *options = arguments
    with pytest.raises(UserError) as error:
        stacked_capsules.build(name, **(options[0] if options else {}))
    assert words in str(error.value)
    assert "clevr6" not in str(error.value)  # what the other package has is not offered


def test_answers_are_those_of_a_call(model, images):
    outputs, encoding, segments = model(images), model.encode(images), model.segment(images)
    np.testing.assert_allclose(encoding.part_pose, outputs.parts.pose, rtol=1e-6)
    np.testing.assert_allclose(encoding.part_presence, outputs.parts.presence, rtol=1e-6)
    np.testing.assert_allclose(encoding.prior_presence, outputs.caps_presence_prob, rtol=1e-6)
    np.testing.assert_allclose(encoding.posterior_presence, outputs.mass_explained_by_capsule, rtol=1e-6)
    np.testing.assert_allclose(model.reconstruct(images), outputs.reconstruction.mode, atol=1e-6)
    part = np.asarray(outputs.reconstruction.mixing_prob)[..., 0].argmax(1)  # [B, H, W]
    np.testing.assert_array_equal(segments.part, np.where(part == 3, -1, part))
    of_part = np.concatenate(
        [np.asarray(outputs.votes.is_from_capsule), np.full((3, 1), -1)], 1
    )  # [B, P + 1]
    np.testing.assert_array_equal(segments.object, of_part[np.arange(3)[:, None, None], part])


def test_segments_show_where_a_part_is(images):
    """A single bright template, present for sure, placed in the middle of a black canvas."""
    model = make_scae(
        SCAEConfig(
            canvas_size=16,
            cnn_strides=(2, 1, 1, 1),
            n_part_caps=1,
            n_obj_caps=1,
            template_size=5,
            use_alpha_channel=True,
        )
    )
    model.part_encoder.bias[6 * 1 :].assign(model.part_encoder.bias[6:] + 20.0)
    model.part_decoder.templates_alpha.assign(model.part_decoder.templates_alpha + 50.0)
    segments = model.segment(images)
    assert set(np.unique(segments.part)) == {-1, 0}
    np.testing.assert_array_equal(segments.part, segments.object)


def test_constellations():
    model = stacked_capsules.build("constellation")
    points = np.random.default_rng(1).uniform(-1, 1, (2, 11, 2))
    presence = np.ones((2, 11))
    presence[:, 3:5] = 0
    outputs = model((points.astype(np.float32), presence.astype(np.float32)))
    encoding = model.encode(points, presence)
    assert [tuple(field.shape) for field in encoding] == [(2, 3), (2, 3), (2, 3, 4, 3, 3), (2, 3, 4)]
    np.testing.assert_allclose(encoding.vote_presence.numpy().max(2), encoding.prior_presence, rtol=1e-6)
    segments = model.segment(points, presence)
    assert (segments.numpy()[:, 3:5] == -1).all()
    np.testing.assert_array_equal(segments, np.where(presence, outputs.votes.is_from_capsule, -1))
    np.testing.assert_allclose(model.reconstruct(points, presence), outputs.votes.winner, rtol=1e-6)
    with pytest.raises(UserError, match="points: give"):
        model.segment(points[0])


def test_runs(model, images, tmp_path):
    write_run(tmp_path, "scae", CONFIG, stacked_capsules.build("digits", **SMALL, seed=5), step=6)
    prefix = write_run(tmp_path, "scae", CONFIG, model)
    for path in (tmp_path, prefix, str(tmp_path)):
        loaded = stacked_capsules.load_run(path)
        np.testing.assert_array_equal(loaded.encode(images).part_pose, model.encode(images).part_pose)
    earlier = stacked_capsules.load_run(tmp_path / "model.ckpt-6")
    assert (earlier.encode(images).part_pose != model.encode(images).part_pose).numpy().any()
    loaded.save(tmp_path / "a.keras")
    again = keras.models.load_model(tmp_path / "a.keras")
    np.testing.assert_array_equal(again.segment(images).part, model.segment(images).part)


def test_damaged_runs(model, tmp_path):
    with pytest.raises(UserError, match="there is no snapshot"):
        stacked_capsules.load_run(tmp_path / "nowhere")
    prefix = write_run(tmp_path, "scae", CONFIG, model)
    flags = (tmp_path / "flags.txt").read_text()
    (tmp_path / "flags.txt").write_text(flags.replace("n_part_caps=3", "n_part_caps=4"))
    with pytest.raises(UserError, match="belongs to another architecture"):
        stacked_capsules.load_run(tmp_path)
    (tmp_path / "flags.txt").write_text(flags.replace("model=scae", "model=EfficientMORL"))
    with pytest.raises(UserError, match=r"not for scae or constellation: emorl\.load_run takes it"):
        stacked_capsules.load_run(tmp_path)
    (tmp_path / "flags.txt").write_text(flags[:-1])
    with pytest.raises(UserError, match="is incomplete"):
        stacked_capsules.load_run(tmp_path)
    (tmp_path / "flags.txt").write_text(flags)
    data = tmp_path / f"{prefix}.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(UserError, match="is damaged"):
        stacked_capsules.load_run(tmp_path)
    (tmp_path / "flags.txt").unlink()
    with pytest.raises(UserError, match="is not a run's folder"):
        stacked_capsules.load_run(tmp_path)

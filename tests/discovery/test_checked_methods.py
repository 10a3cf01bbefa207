"""Every method of a model that takes arrays says what is wrong with them, or takes bytes as images."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from tests.emorl import small_models as scenes
from tests.stacked_capsules import small_models as capsules

BYTES = {  # uint8 images, as many as the batches that models of each kind are tried with
    "scae": np.random.default_rng(0).integers(0, 256, (4, 23, 23, 1), np.uint8),
    "slot_attention": np.random.default_rng(0).integers(0, 256, (4, 10, 10, 3), np.uint8),
    "one_layer": np.random.default_rng(0).integers(0, 256, (4, 10, 10, 3), np.uint8),
}
LABELS = np.array([0, 5, 2, 1])


@pytest.fixture(scope="module", params=BYTES)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def model(kind):
    made = capsules.small_scae() if kind == "scae" else scenes.make(kind)
    made.compile(optimizer="sgd", run_eagerly=True)
    return made


class Batches(keras.utils.PyDataset):
    """What Keras takes beside arrays."""

    def __init__(self, images):
        super().__init__()
        self.images = images

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return (self.images,)


def doors(model):
    """Everything that takes images, by name."""
    named = {name: getattr(model, name) for name in ("encode", "segment", "reconstruct")}
    keras_methods = {
        "fit": lambda x: model.fit(x, verbose=0),
        "fit_validation": lambda x: model.fit(x / 255.0, validation_data=(x, None), verbose=0),
        "fit_dict": lambda x: model.fit({"image": x}, verbose=0),
        "fit_dataset": lambda x: model.fit(tf.data.Dataset.from_tensors(x), shuffle=False, verbose=0),
        "fit_generator": lambda x: model.fit((each for each in [(x,)]), shuffle=False, verbose=0),
        "fit_py_dataset": lambda x: model.fit(Batches(x), shuffle=False, verbose=0),
        "evaluate": lambda x: model.evaluate(x, verbose=0),
        "predict": lambda x: model.predict(x, verbose=0),
        "train_on_batch": model.train_on_batch,
        "test_on_batch": model.test_on_batch,
        "predict_on_batch": model.predict_on_batch,
    }
    return {"call": model, **named, **keras_methods}


def refused(door, images):
    """The message that they are refused with; None if they are taken."""
    try:
        door(images)
    except UserError as error:
        return str(error)
    return None


def test_floats_up_to_255_are_refused_everywhere(model, kind):
    before = [variable.numpy() for variable in model.variables]
    floats = BYTES[kind].astype(np.float32)
    words = "images: their values range from 0 to 255, but must be in [0, 1]: give images / 255"
    assert {name: refused(door, floats) for name, door in doors(model).items()} == dict.fromkeys(
        doors(model), words
    )
    for name, door in doors(model).items():
        assert "images: give an array [B, " in refused(door, floats[:, 1:] / 255), name
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value, err_msg=variable.path)


def test_bytes_are_images(model, kind):
    floats = BYTES[kind].astype(np.float32) / 255
    for question in ("call", "encode", "segment", "reconstruct", "predict", "predict_on_batch"):
        door = doors(model)[question]
        for got, wanted in zip(
            tf.nest.flatten(door(BYTES[kind])), tf.nest.flatten(door(floats)), strict=True
        ):
            np.testing.assert_array_equal(got, wanted, err_msg=question)
    for name in ("evaluate", "test_on_batch"):
        assert doors(model)[name](BYTES[kind]) == doors(model)[name](floats), name


def test_bytes_are_images_in_fit(model, kind):
    start = model.get_weights()
    ends = []
    for images in (BYTES[kind], BYTES[kind].astype(np.float32) / 255):
        model.set_weights(start)
        model.optimizer.iterations.assign(0)  # the noise's seed
        model.fit(images, shuffle=False, verbose=0)
        ends.append(model.get_weights())
    assert any((a != b).any() for a, b in zip(start, ends[0], strict=True))
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (LABELS + 1, "range from 1 to 6, but the model was built with n_classes=6"),
        (LABELS - 1, "range from -1 to 4"),
        (LABELS + 0.5, "no whole numbers"),
        (np.eye(6)[LABELS], r"not one of \[4, 6\]; of one-hot labels, give labels.argmax"),
        (LABELS[:3], "arrays of 4 and 3 examples: give as many of each"),
        (np.array(["cat"] * 4), "they are string; give integers"),
    ],
)
def test_labels(labels, words):
    model = capsules.small_scae()
    model.compile(optimizer="sgd", run_eagerly=True)
    images = BYTES["scae"]
    for method in (model.fit, model.train_on_batch, model.test_on_batch):
        with pytest.raises(UserError, match=words):
            method(images, labels)
    accuracy = {
        model.test_on_batch(images, column, return_dict=True)["posterior_cls_acc"]
        for column in (LABELS, LABELS[:, None], LABELS.astype(np.float32))
    }
    assert len(accuracy) == 1


def test_fit_with_labels_after_fit_without():
    model = capsules.small_scae()
    model.compile(optimizer="sgd", run_eagerly=True)
    model.fit(BYTES["scae"], verbose=0)
    model.fit(BYTES["scae"], LABELS, verbose=0)


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
@pytest.mark.parametrize("images", [[[0.5]], {"image": [0.5]}, None, [BYTES["scae"], 1.0]])
def test_what_is_no_array(method, images):
    with pytest.raises(UserError, match=r"give arrays, .* not (nothing|a list|a dict)"):
        getattr(capsules.small_scae(), method)(images)


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict", "train_on_batch"])
def test_no_images(model, kind, method):
    with pytest.raises(UserError, match="images: there are none"):
        getattr(model, method)(BYTES[kind][:0])


def test_points():
    model = capsules.small_constellation()
    model.compile(optimizer="sgd", run_eagerly=True)
    batch = {name: values.numpy() for name, values in capsules.constellations().items()}
    points, presence = batch["corners"], batch["presence"]
    methods = (model, model.predict_on_batch, model.train_on_batch, model.test_on_batch)
    for method in (*methods, lambda x: model.fit(x, verbose=0), lambda x: model.predict(x, verbose=0)):
        with pytest.raises(UserError, match="presence: it must be 0 or 1"):
            method((points, presence / 2))
        with pytest.raises(UserError, match="points: some are not finite"):
            method((points * np.nan, presence))
        with pytest.raises(UserError, match=r"points: give an array \[B, N, 2\]"):
            method(points[..., :1])
        with pytest.raises(UserError, match="points: give one array, or a pair"):
            method((points, presence, presence))
    for patterns in (batch["pattern_id"][:, 1:], batch["pattern_id"] + 0.5):
        with pytest.raises(UserError, match="patterns: give integers"):
            model.train_on_batch((points, presence), patterns)
    np.testing.assert_array_equal(model(points.tolist()).caps_encoding, model(points).caps_encoding)
    np.testing.assert_array_equal(
        model((points.tolist(), presence.astype(bool))).caps_encoding, model((points, presence)).caps_encoding
    )


def test_slots():
    model = scenes.make("slot_attention")
    assert model.decode(np.zeros((2, 5, 8))).reconstruction.shape == (2, 10, 10, 3)
    with pytest.raises(UserError, match=r"slots: give an array \[B, K, 8\], not one of \[2, 8\]"):
        model.decode(np.zeros((2, 8)))
    with pytest.raises(UserError, match="slots: some values are not finite"):
        model.decode(np.full((2, 5, 8), np.nan))

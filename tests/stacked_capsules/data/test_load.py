"""What a user gets wrong is named in one line."""

import numpy as np
import pytest

from discovery import UserError
from stacked_capsules.data import DATASETS, DataConfig, load
from stacked_capsules.data.examples import check


def examples(**changes):
    good = {"image": np.full([6, 8, 8, 1], 9, np.uint8), "label": np.arange(6) % 3}
    return {name: values for name, values in (good | changes).items() if values is not None}


def with_nan():
    images = np.zeros([6, 8, 8, 1], np.float32)
    images[4, 2, 2] = np.nan
    return images


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"dataset": "mnits"},
            f"--dataset=mnits: there is no such data set; choose one of {', '.join(DATASETS)}",
        ),
        ({"dataset": "digits", "batch_size": 0}, "--batch_size=0: must be at least 1"),
        ({"dataset": "digits", "epoch_order": "x"}, "--epoch_order=x: choose one of swaps, sort"),
        (
            {"dataset": "digits", "n_train": 1502},
            "--n_train=1502: digits has 1,501 training examples; choose 1 to 1501, or leave the flag out for "
            "all of them",
        ),
        (
            {"dataset": "digits", "canvas_size": 7},
            "digits, training set in scikit-learn: images of 8x8 pixels do not fit --canvas_size=7; set it "
            "to 8 or more",
        ),
        (
            {"dataset": "digits", "n_channels": 3},
            "digits, training set in scikit-learn: images have 1 channels; set --n_channels=1",
        ),
        (
            {"dataset": "digits", "n_classes": 5},
            "digits, training set in scikit-learn, label: values from 0 to 9, expected 0 to 4; correct them "
            "or set --n_classes=10",
        ),
    ],
)
def test_options_that_do_not_fit(options, message):
    with pytest.raises(UserError) as caught:
        load(DataConfig(**options))
    assert str(caught.value) == message


def test_part_of_the_training_set():
    part, everything = (load(DataConfig(dataset="digits", n_train=n, shuffle=False)) for n in (100, None))
    labels = [np.concatenate([b["label"] for b in data.whole("train")]) for data in (part, everything)]
    np.testing.assert_array_equal(labels[0], labels[1][:100])
    assert sum(len(b["label"]) for b in part.whole("valid")) == 296


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": with_nan()}, "here: 1 of 6 images hold NaN or infinite values, the first at index 4"),
        ({"image": np.full([6, 8, 8, 1], 255.0)}, "here: image values range from 255 to 255; scale floats"),
        ({"image": np.zeros([6, 8, 8, 1], np.int32)}, "here: images are int32; expected uint8"),
        ({"image": np.zeros([6, 8, 8])}, r"here: images have shape \(6, 8, 8\); expected \[N, H, W, C\]"),
        ({"image": np.zeros([0, 8, 8, 1])}, r"here: images have shape \(0, 8, 8, 1\)"),
        (
            {"image": np.zeros([6, 8, 31, 1])},
            "images of 8x31 pixels do not fit --canvas_size=28; set it to 31",
        ),
        ({"image": np.ones([6, 8, 8, 1], np.uint8)}, "here: the brightest value of all images is 1 of 255"),
        ({"label": np.arange(5)}, r"here, label: int64 \(5,\); expected one integer for each"),
        ({"label": np.zeros(6)}, r"label: float64 \(6,\); expected one integer .*; store labels.astype\(np"),
        ({"label": np.arange(6) + 0.9}, r"here, label: float64 \(6,\); .* of 6 images; 0.9 is no class"),
        ({"label": np.arange(6) - 1}, "here, label: values from -1 to 4, expected 0 to 9"),
        ({"labeled": np.arange(6)}, "here, labeled: values from 0 to 5, expected 0 to 1; correct them"),
    ],
)
def test_data_that_no_model_can_learn_from(changes, message):
    with pytest.raises(UserError, match=message):
        check(examples(**changes), "here", DataConfig())


def test_sound_data_pass():
    check(examples(), "here", DataConfig())
    check(examples(label=None), "here", DataConfig())
    check(examples(image=np.ones([6, 20, 28, 1], np.float64)), "here", DataConfig())


@pytest.mark.parametrize(
    ("shape", "label", "words"),
    [
        ((4, 3, 32, 32), 0, "channels first; store channels last"),
        ((4, 2, 32, 32), 0, "channels first; store channels last"),
        ((4, 32, 32, 3), -1, "leave out examples without a class: classes are numbered from 0"),
        ((4, 32, 32, 1), 0, "set --n_channels=1"),
        ((4, 32, 32, 3), 10, "set --n_classes=11"),
    ],
)
def test_advice_names_the_cause(shape, label, words):
    examples = {"image": np.full(shape, 9, np.uint8), "label": np.full(4, label)}
    with pytest.raises(UserError, match=words):
        check(examples, "mine", DataConfig(canvas_size=32, n_channels=3))

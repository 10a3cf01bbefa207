"""Metrics and loaders against the original's arrays."""

import json

import numpy as np
import pytest

from discovery import UserError
from emorl.data import DataConfig, load
from emorl.metrics.adjusted_rand_index import adjusted_rand_index
from emorl.metrics.dci import completeness, dci, disentanglement
from emorl.metrics.iou import match_slots
from emorl.metrics.mask_resize import resize_masks
from emorl.metrics.mean_squared_error import mean_squared_error
from tests.parity import golden_arrays
from tests.samples import sample

FILES = golden_arrays.golden_files("emorl_units")


def cases(unit):
    return [
        pytest.param(path, name, id=f"{path.stem}-{name}")
        for path in FILES
        for name in dict.fromkeys(n.split("/")[0] for n in golden_arrays.load(path).names(f"{unit}/"))
    ]


@pytest.fixture(scope="module")
def full():
    """The original's arrays in full, of another seed."""
    with np.load(sample("parity/full/emorl/units_1.npz"), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def check_ari(true, pred, foreground, everything, name):
    kwargs = {"atol": 1e-6, "rtol": 1e-5, "err_msg": name}
    if set(np.unique(true)) <= {0, 255}:
        for expected, foreground_only in ((foreground, True), (everything, False)):
            got = adjusted_rand_index(true, pred, foreground_only, as_run=True)
            np.testing.assert_allclose(got, expected, **kwargs)
    elif set(np.unique(true)) <= {0, 1}:  # the original takes all for background and scores 0 (E24)
        np.testing.assert_allclose(
            adjusted_rand_index(true, pred), adjusted_rand_index(255 * true, pred), **kwargs
        )
    else:
        with pytest.raises(UserError, match="no partition"):
            adjusted_rand_index(true, pred)


@pytest.mark.parametrize(("path", "name"), cases("ari"))
def test_adjusted_rand_index(path, name):
    arrays = golden_arrays.load(path).arrays
    check_ari(*(arrays[f"ari/{name}/{key}"] for key in ("true", "pred", "fg", "all")), name)


@pytest.mark.parametrize(("path", "name"), cases("iou"))
def test_matching(path, name):
    golden = golden_arrays.load(path)
    notes = golden.meta["notes"][f"iou/{name}"]
    true_ids, pred_labels, presence = (
        golden.arrays[f"iou/{name}/{key}"] for key in ("true_ids", "pred_labels", "presence")
    )
    true = 255 * (true_ids == np.arange(notes["n_entities"])[:, None, None]).astype(np.uint8)
    pred = (pred_labels == np.arange(notes["K"])[:, None, None]).astype(np.float32)
    if notes.get("raises") == "AssertionError":  # more objects than slots
        with pytest.warns(UserWarning, match="slots"):
            (matching,) = match_slots(true[None], pred[None], presence[None])
        assert len(matching.slots) <= notes["K"]
    else:
        (matching,) = match_slots(true[None], pred[None], presence[None])
    if "raises" not in notes:
        np.testing.assert_array_equal(matching.entities, golden.arrays[f"iou/{name}/gt_idx"])
        np.testing.assert_array_equal(matching.slots, golden.arrays[f"iou/{name}/pred_idx"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_mean_squared_error(path):
    golden = golden_arrays.load(path)
    image, colors, masks = (golden.arrays[f"mse/{name}"] for name in ("img", "colors", "masks"))
    reconstruction = (masks * colors).sum(axis=1)
    golden_arrays.assert_output(
        golden,
        "mse/out",
        mean_squared_error(image.transpose(0, 2, 3, 1), reconstruction.transpose(0, 2, 3, 1)),
    )


@pytest.mark.parametrize(("path", "name"), cases("maskresize"))
def test_mask_resize(path, name):
    golden = golden_arrays.load(path)
    masks = golden.arrays[f"maskresize/{name}/in"]
    size = golden.arrays[f"maskresize/{name}/out"].shape
    golden_arrays.assert_output(
        golden, f"maskresize/{name}/out", resize_masks(masks[None, None, ..., None], size)[0, 0, ..., 0]
    )


# The full arrays, which are not part of the repository.


def test_adjusted_rand_index_full(full):
    names = {key.split("/")[1] for key in full if key.startswith("ari/")}
    for name in sorted(names):
        check_ari(*(full[f"ari/{name}/{key}"] for key in ("true", "pred", "fg", "all")), name)


def test_matching_full(full):
    for name in sorted(
        {key.split("/")[1] for key in full if key.startswith("iou/") and key.endswith("gt_idx")}
    ):
        true, pred, presence = (full[f"iou/{name}/{key}"][None] for key in ("true", "pred", "presence"))
        (matching,) = match_slots(true, pred, presence)
        np.testing.assert_array_equal(matching.entities, full[f"iou/{name}/gt_idx"], err_msg=name)
        np.testing.assert_array_equal(matching.slots, full[f"iou/{name}/pred_idx"], err_msg=name)


def test_mask_resize_full(full):
    got = resize_masks(full["maskresize/in"][None, None, ..., None], (192, 192))[0, 0, ..., 0]
    np.testing.assert_allclose(got, full["maskresize/out"], atol=1e-6)


def test_dci_as_the_original_runs(full):
    scores = dci(*dci_inputs(full), compat=True)
    np.testing.assert_allclose(scores.importance, full["dci/importance"], atol=1e-12)
    for name in ("disentanglement", "completeness", "informativeness_train", "informativeness_test"):
        np.testing.assert_allclose(getattr(scores, name), full[f"dci/score/{name}"], rtol=1e-9, err_msg=name)


def test_dci_with_the_right_estimator_per_factor(full):
    scores = dci(*dci_inputs(full), seed=0)
    expected = {name: full[f"dci/fixed_model_choice/{name}"] for name in ("importance", "train", "test")}
    np.testing.assert_allclose(scores.importance, expected["importance"], atol=1e-12)
    discrete = np.array(dci_kinds(full)) == "discrete"
    np.testing.assert_allclose(scores.informativeness_per_factor[discrete], expected["test"][discrete])
    assert (scores.informativeness_per_factor[~discrete] > 0.5).all()  # R^2, not the share of equal floats: 0
    for name in ("disentanglement", "completeness"):
        np.testing.assert_allclose(getattr(scores, name), full[f"dci/fixed_model_choice/{name}"], rtol=1e-9)


@pytest.mark.parametrize("name", ["uniform", "diag", "zero", "rand"])
def test_disentanglement_and_completeness_of_a_matrix(full, name):
    matrix = full[f"dci/matrix/{name}"]
    np.testing.assert_allclose(disentanglement(matrix), full[f"dci/matrix/{name}/dis"], atol=1e-12)
    np.testing.assert_allclose(completeness(matrix), full[f"dci/matrix/{name}/com"], atol=1e-12)


@pytest.mark.parametrize(
    ("file", "style"),
    [("tet", "plain"), ("clevr", "plain"), ("clevr", "clevr-small"), ("clevr", "clevr-large")],
)
def test_loader(full, file, style):
    config = DataConfig(
        dataset="tetrominoes" if file == "tet" else "clevr6",
        data_path=str(sample(f"data/tiny_{file}_1.h5")),
        batch_size=8,
        masks=True,
        factors=file == "clevr",
        clevr_preprocess_style="" if style == "plain" else style,
    )
    batch = next(iter(load(config).whole("valid")))
    prefix = f"loader/{file}/{style}"
    np.testing.assert_allclose(
        2 * batch["image"][1] - 1, full[f"{prefix}/imgs"].transpose(1, 2, 0), atol=2e-7
    )
    np.testing.assert_array_equal(255.0 * batch["mask"][1].numpy(), full[f"{prefix}/masks"][:, 0])
    if file == "clevr":
        np.testing.assert_array_equal(batch["factors"][1], full[f"{prefix}/factors"])


def dci_kinds(full):
    return json.loads(str(full["meta"]))["dci/factor_types"]


def dci_inputs(full):
    names = ("mus_train", "ys_train", "mus_test", "ys_test")
    return [*(full[f"dci/{name}"].T for name in names), dci_kinds(full)]

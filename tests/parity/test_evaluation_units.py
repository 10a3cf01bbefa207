"""Matching and segmentation accuracy against the original's arrays.

The original numbers ids by how many different ones occur, so it counts nothing beyond a gap; it also cuts
real-valued counts to integers. Both are allowed for here, which shows that nothing else differs.
"""

import numpy as np
import pytest

from stacked_capsules.evaluation.clustering import bipartite_match
from stacked_capsules.evaluation.segmentation import segmentation_accuracy
from tests.parity import golden_arrays

FILES = golden_arrays.golden_files("scae_units")
CASES = [
    (path, unit)
    for path in FILES
    for unit in dict.fromkeys(
        name.split("/")[0] for name in golden_arrays.load(path).names("bipartite_match/")
    )
]


def counted_by_the_original(pred, gt):
    """Returns a mask of the elements whose ids are below the number of different ids."""
    return (pred < len(np.unique(pred))) & (gt < len(np.unique(gt)))


@pytest.mark.parametrize(("path", "unit"), CASES, ids=[f"{path.stem}-{unit}" for path, unit in CASES])
def test_bipartite_match(path, unit):
    golden = golden_arrays.load(path)
    prefix = f"bipartite_match/{unit}/"
    case = {name: golden.arrays[prefix + name] for name in golden.names(prefix)}
    pred, gt = case["pred"], case["gt"]
    presence = np.asarray(case.get("presence", np.ones(len(gt))), np.float64)
    n_classes = None if case["n_classes"] < 0 else int(case["n_classes"])
    counted = np.ones(len(gt), bool) if n_classes else counted_by_the_original(pred, gt)
    matching = bipartite_match(pred, gt, presence * counted, n_classes)
    if (presence == np.round(presence)).all():
        assert matching.num_correct == case["num_correct"]
        assert matching.num_correct / len(gt) == pytest.approx(case["acc"])
        if counted.all():
            np.testing.assert_array_equal(matching.gt_ids, case["row"])
            np.testing.assert_array_equal(matching.pred_ids, case["col"])
    else:  # less than 1 is cut off from each matched pair
        assert 0 <= matching.num_correct + 1e-4 - case["num_correct"] < len(case["row"])
    assert bipartite_match(pred, gt, presence, n_classes).num_correct >= matching.num_correct


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_eval_segmentation(path):
    arrays = golden_arrays.load(path).arrays
    pred, gt = arrays["eval_segmentation/pred"], arrays["eval_segmentation/gt"]
    counted = np.stack([counted_by_the_original(p, g) for p, g in zip(pred, gt, strict=True)])  # [N, P]
    for presence, key in ((arrays["eval_segmentation/presence"], "acc"), (np.ones(gt.shape), "acc_nopres")):
        correct = segmentation_accuracy(pred, gt, presence * counted) * (presence * counted).sum()
        assert correct / presence.sum() == pytest.approx(arrays[f"eval_segmentation/{key}"], rel=1e-6)
        assert segmentation_accuracy(pred, gt, presence) >= arrays[f"eval_segmentation/{key}"]

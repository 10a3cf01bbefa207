import numpy as np
import pytest

from discovery import UserError
from emorl.evaluation.clevrtex_benchmark import evaluate_clevrtex
from emorl.metrics.clevrtex_scores import SCORES
from tests.emorl.evaluation.painted import PaintedModel, painted_scenes, source_of


@pytest.mark.parametrize("enlarged", [1, 2])
def test_a_model_that_sees_all_scores_full_marks(enlarged):
    scores = evaluate_clevrtex(PaintedModel(), source_of(painted_scenes(7, enlarged=enlarged), 3), 6)
    assert tuple(scores) == SCORES
    for name, values in scores.items():
        np.testing.assert_allclose(values, np.full(6, float(name != "MSE")), atol=1e-3, err_msg=name)


def test_without_masks():
    with pytest.raises(UserError, match="no mask"):
        evaluate_clevrtex(PaintedModel(), source_of({"image": painted_scenes(1)["image"]}, 1))

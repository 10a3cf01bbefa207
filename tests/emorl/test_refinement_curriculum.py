import pytest

from discovery import UserError
from emorl.refinement_curriculum import refinement_curriculum


def test_each_stage_lasts_until_the_next():
    at = refinement_curriculum(["-1:3", "100:1", "200:2"])
    assert [at(step) for step in (0, 99, 100, 199, 200, 10**6)] == [3, 3, 1, 1, 2, 2]


@pytest.mark.parametrize(
    "stages", [[], ["3"], ["a:1"], ["5:1"], ["-1:3", "200:1", "100:2"], ["-1:3", "-1:2"], ["0:-1"]]
)
def test_what_is_no_curriculum_is_refused(stages):
    with pytest.raises(UserError, match="--refinement_curriculum="):
        refinement_curriculum(stages)

import json

import numpy as np
import pytest

from stacked_capsules.plots.learning_curves import curve, learning_curves_plot, read_reports


def write(path, reports, rest=""):
    path.write_text("".join(json.dumps(report) + "\n" for report in reports) + rest)
    return path


def test_reports_are_read_in_order_without_the_unfinished_line(tmp_path):
    path = write(
        tmp_path / "metrics.jsonl", [{"step": 20, "train/loss": 1.0}, {"step": 10}], '{"step": 30, "tr'
    )
    assert [report["step"] for report in read_reports(path)] == [10, 20]
    assert curve(read_reports(path), "train/loss") == ([20], [1.0])


@pytest.mark.parametrize("n_metrics", [1, 4, 6])
def test_a_panel_for_each_metric(tmp_path, n_metrics):
    names = ["loss", "a", "b", "c", "d", "e"][:n_metrics]
    reports = [
        {"step": step, "lr": 0.1, "seconds": 3.0, "train/votes_per_capsule_0": 1.0}
        | {f"{split}/{name}": step * 0.5 for split in ("train", "valid") for name in names}
        for step in (1, 2, 3)
    ]
    picture = learning_curves_plot(write(tmp_path / "metrics.jsonl", reports))
    assert picture.dtype == np.uint8
    assert picture.shape == (240 * (1 + (n_metrics > 4)), 340 * min(4, n_metrics), 3)
    if n_metrics == 6:  # two panels stay empty
        assert (picture[260:, 700:] == 255).all()


def test_nothing_to_draw(tmp_path):
    assert learning_curves_plot(tmp_path / "metrics.jsonl") is None
    assert learning_curves_plot(write(tmp_path / "metrics.jsonl", [])) is None
    assert learning_curves_plot(write(tmp_path / "metrics.jsonl", [{"step": 3, "lr": 1.0}])) is None


def test_nan_is_a_gap(tmp_path):
    reports = [{"step": s, "train/loss": v} for s, v in ((1, 1.0), (2, float("nan")), (3, 2.0))]
    assert learning_curves_plot(write(tmp_path / "metrics.jsonl", reports)) is not None

"""Several runs on one page."""

import json
from xml.etree import ElementTree

import pytest

from discovery import UserError
from discovery.reports.comparison_page import comparison_page, comparison_picture, read_runs
from discovery.reports.score_table import mean_text, score_text
from tests.discovery.reports.run_folders import write_folder
from tests.discovery.reports.test_report_page import HOSTILE, Checker
from tests.scripts.tiny_runs import metrics

SVG = "{http://www.w3.org/2000/svg}"


def metrics_file(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_comparison(tmp_path):
    folders = [
        write_folder(tmp_path / "a", seed=1, n_reports=5),
        write_folder(tmp_path / "b", seed=2, z_size="8", model="x"),
    ]
    last = [metrics(folder)[-1]["valid/loss"] for folder in folders]
    assert mean_text([1.0, 2.0, 4.5]) == "2.5000 ± 1.8028"
    texts = [score_text(value) for value in (-11.0, 874.34, 1719.2, 9999.9, 20_000.4)]
    assert texts == ["-11.00", "874.3", "1719", "10000", "20000"]
    assert mean_text([1.0, None]) == mean_text([1.0]) == ""
    losses = f"a {score_text(last[0])} b {score_text(last[1])}"
    page = Checker(comparison_page(read_runs(folders)))
    for text in (
        *(
            "2 runs Learning curves",
            "What ran a b steps 500 of 12,000 4,000 of 12,000",
            "flag a b --model EfficientMORL x",
        ),
        *("--z_size not recorded 8", f"loss {losses}", "Last reports metric a b mean ± deviation loss"),
        *("ARI 0.9750 ± 0.0500 0.9750 ± 0.0500 0.9750 ± 0.0000", "Scores of eval_emorl_ARI_MSE_KL score a b"),
        f"loss {losses.split()[1]} {losses.split()[3]} {mean_text(last)}",
    ):
        assert text in page.shown, text
    assert "--seed" not in page.shown  # no run differs in it
    assert len({attributes["stroke"] for tag, attributes in page.elements if tag == "polyline"}) == 2
    again = Checker(comparison_page(read_runs([tmp_path / "a", write_folder(tmp_path / "other" / "a")])))
    assert "What ran a other/a" in again.shown


def test_text_stays_text(tmp_path):
    folders = [
        write_folder(tmp_path / HOSTILE.replace("/", "\\"), data_path=HOSTILE),
        write_folder(tmp_path / "b"),
    ]
    (folders[1] / "run.json").write_text("{")
    page = Checker(comparison_page(read_runs(folders)))
    assert "img" not in {tag for tag, _ in page.elements}
    assert "b: run.json" in page.shown


def test_mistakes(tmp_path):
    folder = write_folder(tmp_path / "a")
    with pytest.raises(UserError, match="two or more"):
        read_runs([folder])
    with pytest.raises(UserError, match="given twice"):
        read_runs([folder, tmp_path / "a" / ".." / "a"])
    with pytest.raises(UserError, match=r"nothing is not a run's folder: it has neither flags\.txt nor"):
        read_runs([folder, tmp_path / "nothing"])


@pytest.mark.parametrize("over", ["steps", "minutes"])
def test_a_picture_of_one_metric(tmp_path, over):
    """The second run was twice as slow, so that over minutes the first one's curve is half as wide."""
    folders = [write_folder(tmp_path / name, n_reports=5) for name in ("a", "<b>")]
    reports = metrics_file(folders[1])
    slower = [{**report, "seconds": 2 * report["seconds"]} for report in reports]
    (folders[1] / "metrics.jsonl").write_text("".join(json.dumps(report) + "\n" for report in slower))
    picture = ElementTree.fromstring(comparison_picture(read_runs(folders), "loss", over))
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert texts[:2] == ["loss", over]
    assert texts[-2:] == ["a", "<b>"]
    lines = [line.get("points").split() for line in picture.iter(f"{SVG}polyline")]
    (start, end), (other_start, other_end) = (
        [float(p.split(",")[0]) for p in (ps[0], ps[-1])] for ps in lines
    )
    assert [len(line) for line in lines] == [5, 5]
    if over == "steps":
        assert (start, end) == (other_start, other_end)
    else:
        assert end - start == pytest.approx((other_end - other_start) / 2, abs=0.2)
    with pytest.raises(UserError, match="no run has reported nonsense; there are"):
        comparison_picture(read_runs(folders), "nonsense", over)


def test_the_script(processes, tmp_path):
    folders = [write_folder(tmp_path / name, n_reports=2) for name in "ab"]
    ended = processes.run("scripts.compare_runs", *folders, f"--out={tmp_path}/pages/c.html")
    assert (ended.code, ended.stdout) == (0, f"2 runs: {tmp_path}/pages/c.html\n"), ended.stderr
    assert Checker((tmp_path / "pages" / "c.html").read_text()).shown.startswith("2 runs")
    picture = tmp_path / "pages" / "loss.svg"
    ended = processes.run(
        "scripts.compare_runs", *folders, "--metric=loss", "--over=minutes", f"--out={picture}"
    )
    assert (ended.code, ended.stdout) == (0, f"2 runs: {picture}\n"), ended.stderr
    assert picture.read_text() == comparison_picture(read_runs(folders), "loss", "minutes")
    (tmp_path / "file").touch()
    ended = processes.run("scripts.compare_runs", *folders, f"--out={tmp_path}/file/c.html")
    assert "choose another --out" in ended.mistake

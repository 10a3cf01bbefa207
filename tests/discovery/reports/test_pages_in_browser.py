"""Reports as people see them: pictures load, nothing overflows on a phone or a desk, text has contrast."""

import pytest

from discovery.reports.comparison_page import comparison_page, read_runs
from discovery.reports.report_page import report_page
from tests.discovery.reports.browser import CHROMIUM, seen_in_browser
from tests.discovery.reports.run_folders import write_folder
from tests.discovery.reports.test_report_page import HOSTILE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium"),
]


def check(seen, n_images):
    assert seen.keys() == {375, 1280}
    for width, page in seen.items():
        assert page["innerWidth"] == width
        assert page["scrollWidth"] <= width, page["outside"]
        assert page["outside"] == []
        assert len(page["images"]) == n_images
        assert all(natural > 0 for natural in page["images"])
        assert page["n_texts"] > 50
        assert page["contrasts"][0][0] >= 4.5, page["contrasts"]


def test_a_report(tmp_path):
    folder = write_folder(tmp_path / ("a_run_with_a_name_as_long_as_they_become" * 3))
    check(seen_in_browser(report_page(folder), tmp_path), n_images=9)


def test_a_hostile_report(tmp_path):
    folder = write_folder(tmp_path / HOSTILE.replace("/", "\\"), data_path=HOSTILE, model=HOSTILE)
    check(seen_in_browser(report_page(folder), tmp_path), n_images=9)


def test_a_comparison(tmp_path):
    folders = [
        write_folder(tmp_path / f"a_run_with_quite_a_name_{i}", seed=i, z_size=str(i)) for i in range(10)
    ]
    check(seen_in_browser(comparison_page(read_runs(folders)), tmp_path), n_images=0)


def test_the_browser_sees_what_is_wrong(tmp_path):
    text = report_page(write_folder(tmp_path / "mine"))
    broken = text.replace("<h1>", '<p style="width:2000px;color:#999">wide and pale</p><h1>')
    broken = broken.replace("base64,", "base64,AAAA", 1)
    for page in seen_in_browser(broken, tmp_path).values():
        assert page["scrollWidth"] > page["innerWidth"]
        assert page["outside"]
        assert page["images"].count(0) == 1
        assert page["contrasts"][0][0] == pytest.approx(2.5, abs=0.4)
        assert page["contrasts"][0][1] == "wide and pale"

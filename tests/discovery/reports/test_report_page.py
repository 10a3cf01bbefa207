"""The report of a run: what it holds, whole or damaged; that nothing in a folder becomes part of the page."""

import html
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from discovery import UserError
from discovery.experiments import experiments
from discovery.flag_files import CONFIGS, read_flag_file
from discovery.reports.html_page import figure
from discovery.reports.published_results import published_results
from discovery.reports.report_page import report_page, write_report
from discovery.reports.run_record import read_run
from discovery.training.run_folder import prepare_run_folder, write_flags
from tests.discovery.reports.run_folders import picture, write_folder
from tests.discovery.training.file_size_limit import file_size_limit
from tests.discovery.training.test_loop import run

_VOID = {"meta", "img", "path", "polyline", "circle", "br"}


class Checker(HTMLParser):
    """Notes elements, their attributes and visible text; fails where tags do not nest."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.texts, self.in_pre = [], [], [], False
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "pre" in self.open and self.texts and self.in_pre:  # one text in many pieces
            self.texts[-1] += data
        elif "style" not in self.open:
            self.texts.append(data)
        self.in_pre = "pre" in self.open

    @property
    def shown(self):
        return " ".join(" ".join(self.texts).split())


def test_what_a_report_holds(tmp_path):
    page = Checker(report_page(write_folder(tmp_path / "mine")))
    for text in (
        *(
            "mine EfficientMORL on tetrominoes",
            "4,000 of 12,000",
            "training time 2 min",
            "seed 7",
            "started 20",
        ),
        *(
            "tensorflow 2.",
            "--geco_reconstruction_target -1.224",
            "loss train",
            "kl train",
            "3 of them, valid",
        ),
        *("ARI 0.9750 ± 0.0500 0.982 ± 0.018 (Emami et al., ICML 2021, five seeds); 0.997", "2.76e-4 (the"),
        *(
            "KL 70.7 the authors' checkpoint",
            "eval_emorl_ARI_MSE_KL, step 1,000",
            "reconstructions, step 3,000. A row for each example",
            "320 examples",
        ),
        *("step 1,000 step 2,000", f"--flagfile={tmp_path}/mine/flags.txt", "eval_emorl --snapshot="),
    ):
        assert text in page.shown, text
    images = [attributes for tag, attributes in page.elements if tag == "img"]
    assert len(images) == 2 * (1 + 3) + 1
    assert all(image["src"].startswith("data:image/") for image in images)
    assert sum(tag == "svg" for tag, _ in page.elements) == 6


def test_results_and_pictures_come_before_flags(tmp_path):
    shown = Checker(report_page(write_folder(tmp_path / "mine"))).shown
    titles = ("Scores", "Pictures", "Learning curves", "Continue and evaluate", "What ran", "--data_path")
    places = [shown.index(title) for title in titles]
    assert places == sorted(places)
    assert "num images" not in shown


def test_scores_with_changed_flags_stand_apart_without_published_figures(tmp_path):
    folder = write_folder(tmp_path / "mine")
    changed = {"changed_flags": {"K": "6", "lr": "1e-3"}, "ARI": {"mean": 0.5, "std": 0.1}}
    (folder / "eval" / "eval_emorl_ARI_MSE_KL-1000.K=6.lr=1e-3.json").write_text(json.dumps(changed))
    shown = Checker(report_page(folder)).shown
    assert "ARI 0.9750 ± 0.0500 0.982 ± 0.018 (Emami" in shown
    apart = "eval_emorl_ARI_MSE_KL, step 1,000, with --K=6 --lr=1e-3 score measured ARI 0.5000 ± 0.1000"
    assert apart in shown
    assert f"{apart} 0.982" not in shown
    assert [scores.values["ARI"]["mean"] for scores in read_run(folder).scores] == [0.975]


def test_published_figures_are_not_beside_scores_of_generated_scenes(tmp_path):
    shown = Checker(report_page(write_folder(tmp_path / "mine", data_path=""))).shown
    assert "ARI 0.9750 ± 0.0500 MSE" in shown
    assert (
        "Published, for the published scenes; this run's are generated score published by ARI 0.982" in shown
    )


def test_a_run_that_was_stopped_shows_its_last_step(tmp_path):
    folder = write_folder(tmp_path / "mine")
    for end in ("index", "data-00000-of-00001"):
        (folder / f"model.ckpt-4321.{end}").touch()
    assert "steps 4,321 of 12,000" in Checker(report_page(folder)).shown


def test_gifs_and_traversals_are_shown(tmp_path):
    folder = write_folder(tmp_path / "mine")
    evaluated = folder / "eval" / "model.ckpt-4000"
    (evaluated / "image_0").mkdir(parents=True)
    Image.fromarray(picture(1)).save(evaluated / "slot_0_image_0_traversal.png")
    Image.fromarray(picture(2)).save(evaluated / "image_0" / "slot_0_row_0.gif")
    page = Checker(report_page(folder))
    sources = [attributes["src"] for tag, attributes in page.elements if tag == "img"]
    assert sum(source.startswith("data:image/gif") for source in sources) == 1
    assert "slot 0 image 0 traversal, model.ckpt-4000. A row for each latent" in page.shown


def test_a_large_gif_still_moves(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (12, 200, 200, 3), np.uint8)
    frames = [Image.fromarray(frame) for frame in noise]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], loop=0)
    assert 400_000 < (tmp_path / "a.gif").stat().st_size < 2_000_000
    assert "data:image/gif" in figure(tmp_path / "a.gif", "moves")


def test_it_needs_nothing_else(tmp_path):
    text = report_page(write_folder(tmp_path / "mine"))
    assert not re.search(r"<(script|link|iframe|object)|https?:|url\(", text)
    policy = html.unescape(re.search(r'Content-Security-Policy" content="(.*?)"', text)[1])
    assert policy.startswith("default-src 'none'; img-src data:")


def test_whatever_is_missing(tmp_path):
    shown = Checker(report_page(tmp_path)).shown
    assert "steps none reported yet" in shown
    assert "No metrics have been reported yet." in shown
    assert "no run.json" in shown
    write_flags(tmp_path, {"model": "scae", "dataset": "digits", "max_train_steps": "9"})
    shown = Checker(report_page(tmp_path)).shown
    assert "No published figure belongs to this experiment." in shown
    assert "Not evaluated yet" in shown
    assert "python -m scripts.train --flagfile=" in shown


def test_whatever_is_damaged(tmp_path):
    folder = write_folder(tmp_path / "mine")
    (folder / "metrics.jsonl").write_text(
        '{"step": 5, "train/loss": 2.0, "seconds": 1}\n{"step": 7, "train/loss": NaN, "lr": 1e999}\n'
        '{"step": "9", "train/loss": 1}\n{"step": true}\n[]\n{"step": 1e400}\n'
        '{"step": 11, "train/loss": "x"}\n'
        f'{{"step": -3, "train/loss": 1}}\n{"[" * 10**5}\n{{"step": 13, "train/loss": 1{"0" * 400}}}\n\x00\n'
        '{"step": 15, "train/loss": 1e300, "valid/loss": -1e-320, "seconds": "y"}\n{"step": 20, "tra'
    )
    (folder / "flags.txt").write_bytes(b"--lr=1\n\xff")
    (folder / "run.json").write_text('{"changed_flags": [1], "versions": 3, "resumed_at": ["x", 2.5, 4]}')
    (folder / "plots" / "masks.png").write_bytes(b"no picture")
    whole = (folder / "plots" / "reconstructions.png").read_bytes()
    (folder / "plots" / "reconstructions.png").write_bytes(whole[: len(whole) // 2])
    (folder / "plots" / "over_time" / "masks-0x.png").write_bytes(b"")
    (folder / "eval" / "eval_mnist-2000.json").write_text("{")
    (folder / "eval" / "eval_mnist-1000.json").write_text('[1, {"a": 2}]')
    (folder / "eval" / "x-3.json").write_text(
        '{"a": {"train": "<b>"}, "b": {"mean": 1, "std": []}, "c": [{}]}'
    )
    page = Checker(report_page(folder))
    named = "flags.txt, metrics.jsonl, eval/eval_mnist-1000.json, eval/eval_mnist-2000.json"
    assert f"Not readable: {named}." in page.shown
    assert page.shown.count("Not readable. ") == 2  # pictures
    assert "loss train 2" in page.shown
    assert "nan" not in page.shown.replace("resonan", "").lower()
    assert read_run(folder).resumed_at == [4]


def test_the_oldest_and_largest_numbers(tmp_path):
    values = [(0, 0.0), (1, -9.99e299), (2, 9.99e299), (10**15, 5e-324)]
    lines = [json.dumps({"step": step, "train/loss": value, "lr": 5e-324}) for step, value in values]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    numbers = re.findall(r'points="(.*?)"', report_page(tmp_path))
    assert len(numbers) == 2
    assert all(-1 < float(n) < 400 for n in re.split("[ ,]", " ".join(numbers)))


HOSTILE = "<img src=x onerror=alert(1)>\"'&amp;</svg></style><script>alert(2)<\\script>\u202e\x07{0}%s"


def test_text_stays_text(tmp_path):
    folder = write_folder(
        tmp_path / HOSTILE.replace("/", "\\"), seed=1, name=HOSTILE, data_path=HOSTILE, model=HOSTILE
    )
    (folder / "metrics.jsonl").write_text(
        json.dumps({"step": 1, f"train/{HOSTILE}": 1.0, f"{HOSTILE}_3": 2, HOSTILE: HOSTILE})
    )
    (folder / "eval" / f"{HOSTILE.replace('/', '')}-7.json").write_text(
        json.dumps({HOSTILE: {"train": 1}, "x": {HOSTILE: 3}})
    )
    Image.fromarray(picture(0)).save(folder / "plots" / f"{HOSTILE.replace('/', '')}.png")
    (folder / "plots" / "sur\udcffrogate.png").write_bytes(b"")
    facts = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(facts | {"versions": {HOSTILE: "\ud800"}}))
    before = Checker(report_page(write_folder(tmp_path / "tame"))).elements
    text = report_page(folder)
    text.encode()  # no lone surrogate
    page = Checker(text)
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in before} | {"circle"}
    allowed = {name for _, attributes in before for name in attributes} | {"cx", "cy", "r"}
    assert {name for _, attributes in page.elements for name in attributes} <= allowed
    assert "onerror=alert(1)>\"'&amp;" in page.shown


def test_no_published_figure_is_of_the_baseline():
    (figure,) = published_results({"model": "scae", "dataset": "svhn"})
    assert figure.belongs_to("unsupervised.refit.prior")
    assert not figure.belongs_to("unsupervised.refit.pixels")
    assert not figure.belongs_to("unsupervised.refitted")


def test_published_figures_are_those_of_the_configurations():
    results = (CONFIGS.parent / "docs" / "results.md").read_text()
    seen = []
    for path in CONFIGS.glob("*.flags"):
        figures = published_results({"which_patterns": "0,1,0", **read_flag_file(path)})
        for published in figures:
            for number in re.findall(r"\d[\d.e-]*\d", published.value):
                spellings = {number, number.removeprefix("0"), f"{100 * float(number):.5g}"}
                assert any(
                    re.search(rf"(?<![\d.]){re.escape(s)}", path.read_text() + results) for s in spellings
                )
        seen.append(figures)
    declared = [figures for kind in experiments().values() for _, figures in kind.published]
    assert all(figures in seen for figures in declared)  # each belongs to some configuration


def test_a_run_writes_it_at_its_first_report_and_every_snapshot(tmp_path):
    steps = []
    facts = {"seed": 3, "changed_flags": {"lr": "0.05"}}
    draw = {
        "plot": True,
        "plot_share": 0,
        "plot_steps": 5,
        "plots": lambda *_: {"codes": np.zeros((2, 2, 3), np.uint8)},
        "report": lambda folder: steps.append(read_run(folder).reports[-1]["step"]) or write_report(folder),
    }
    run(tmp_path, snapshot_steps=10, max_train_steps=20, facts=facts, **draw)
    assert steps == [10, 10, 20]
    (tmp_path / "plots" / "over_time" / "codes-25.png").touch()  # of steps that no snapshot holds
    run(tmp_path, max_train_steps=30, facts=facts, **draw)
    shown = Checker((tmp_path / "report.html").read_text()).shown
    for text in (
        "steps 30",
        "resumed at step 20",
        "--lr 0.05",
        "fit train",
        "step 5 step 10 step 15 step 20",
    ):
        assert text in shown, text
    assert not list(tmp_path.glob("*.tmp"))


def test_overwriting_clears_it(tmp_path):
    folder = write_folder(tmp_path / "mine")
    write_report(folder)
    (folder / "report.html.tmp").touch()
    prepare_run_folder(folder, {"name": "mine"}, overwrite=True)
    assert not list(folder.iterdir())


def test_a_full_disk(tmp_path):
    folder = write_folder(tmp_path / "mine", n_reports=2)
    before = write_report(folder).read_bytes()
    with file_size_limit(500), pytest.raises(UserError, match=r"cannot write .*report\.html: .*MB are free"):
        write_report(folder)
    assert (folder / "report.html").read_bytes() == before
    assert not list(folder.glob("*.tmp"))

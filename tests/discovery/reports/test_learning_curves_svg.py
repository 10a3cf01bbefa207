"""Curves of pages: whole XML, round numbers at the axes, no peak lost."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from discovery.reports.learning_curves_svg import (
    HEIGHT,
    WIDTH,
    Curve,
    learning_curves_svg,
    round_numbers,
    short,
    thinned,
    tick_texts,
)


@pytest.mark.parametrize(
    ("low", "high", "want"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (-0.3, 1.1, [0, 0.5, 1]), (1e-5, 4e-5, [1e-5, 2e-5, 3e-5, 4e-5])],
)
def test_round_numbers(low, high, want):
    assert round_numbers(low, high, 5) == pytest.approx(want)


def test_round_numbers_are_few_and_within():
    rng = np.random.default_rng(0)
    for _ in range(300):
        low, width = rng.normal() * 10.0 ** rng.integers(-9, 9), 10.0 ** rng.uniform(-3, 9)
        numbers = round_numbers(low, low + width, 5)
        assert 2 <= len(numbers) <= 6
        assert all(low - 1e-6 * width <= n <= low + width * (1 + 1e-6) for n in numbers)


def test_short():
    assert [short(x) for x in (0, 1500, 3e5, 2e-5, -0.25, 2e6)] == [
        "0",
        "1.5k",
        "300k",
        "2e-05",
        "-0.25",
        "2M",
    ]


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0.88, 1.0, ["0.90", "0.95", "1.00"]),
        (1719.3, 1728.4, ["1.720k", "1.722k", "1.724k", "1.726k", "1.728k"]),
        (887.3, 889.1, ["887.5", "888.0", "888.5", "889.0"]),
        (-0.3, 1.1, ["0", "0.5", "1.0"]),
        (0, 9e4, ["0", "20k", "40k", "60k", "80k"]),
        (1e-6, 4.5e-6, ["1e-06", "2e-06", "3e-06", "4e-06"]),
    ],
)
def test_an_axis_has_even_decimals(low, high, texts):
    assert tick_texts(round_numbers(low, high, 5)) == texts


def test_steps_are_whole_numbers():
    svg = learning_curves_svg("a", [Curve("a", "#000", [(2, 0.5)])])
    assert ">2</text>" in svg
    assert ">1.9" not in svg


def test_no_peak_is_lost():
    points = [(float(i), float(np.sin(i / 50))) for i in range(5000)]
    points[1234], points[4321] = (1234.0, 9.0), (4321.0, -9.0)
    kept = thinned(points)
    assert len(kept) < 320
    assert {(1234.0, 9.0), (4321.0, -9.0), points[0], points[-1]} <= set(kept)
    assert [step for step, _ in kept] == sorted(step for step, _ in kept)


@pytest.mark.parametrize("points", [[(5, 0.0)], [(1, 3.0), (2, 3.0)], [(i, i**2) for i in range(900)]])
def test_drawing(points):
    curves = [Curve("a", "#000", points), Curve("none", "#111", [], dashed=True)]
    svg = ElementTree.fromstring(learning_curves_svg('<a "title">', curves))
    assert svg.attrib["aria-label"] == '<a "title">'
    assert 2 < len(svg.findall("text")) < 14
    drawn = [tuple(map(float, p.split(","))) for p in svg.find("polyline").attrib["points"].split()]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in drawn)
    assert len(svg.findall("circle")) == (len(points) if len(points) < 3 else 0)

"""Learning curves as SVG text that a page can hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from discovery.reports.html_page import escaped

WIDTH, HEIGHT = 360, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 8, 8, 24
#: Number of points beyond which only the extremes of each stretch of steps are kept.
_MOST_POINTS = 300
_SIZES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_MOST_DECIMALS = 4  # in front of an axis there is no room for more
_TEXT, _GRID = "#4a5663", "#dfe4ea"


class Curve(NamedTuple):
    """One curve.

    Attributes:
        label: what it is.
        color: a CSS color.
        points: (step, value), finite, in order of steps.
        dashed: whether the line is dashed.
        width: width of the line.
    """

    label: str
    color: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False
    width: float = 1.6


def learning_curves_svg(title: str, curves: Sequence[Curve]) -> str:
    """Draws curves over steps on common axes, as wide as their container.

    Args:
        title: for screen readers.
        curves: at least one has a point.
    """
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'<svg {size} role="img" aria-label="{escaped(title)}">{_drawn(curves)}</svg>'


def learning_curves_file(title: str, x_name: str, curves: Sequence[Curve]) -> str:
    """Draws the same with title, name of the horizontal axis and key, as a picture that is a file of its own.

    Args:
        title: what the curves show.
        x_name: what they are drawn over.
        curves: at least one has a point.
    """
    top, line = 22, 16
    height = top + HEIGHT + line * (1 + len(curves))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{2 * WIDTH}" '
        f'font-family="sans-serif" font-size="11"><rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        _text(_LEFT, 15, escaped(title), "start"),
        _text(WIDTH - _RIGHT, top + HEIGHT + 6, escaped(x_name), "end"),
        f'<g transform="translate(0 {top})">{_drawn(curves)}</g>',
    ]
    for place, curve in enumerate(curves, 1):
        y = top + HEIGHT + line * place + 8
        parts.append(
            f'<path d="M{_LEFT} {y - 4}h14" stroke="{curve.color}" stroke-width="3"{_dashes(curve)}/>'
        )
        parts.append(_text(_LEFT + 20, y, escaped(curve.label), "start"))
    return "".join([*parts, "</svg>\n"])


def _drawn(curves):
    steps = [step for curve in curves for step, _ in curve.points]
    values = [value for curve in curves for _, value in curve.points]
    x_low, x_high = _widened(min(steps), max(steps))
    y_low, y_high = _widened(min(values), max(values))

    def x(step):
        return _LEFT + (step - x_low) / (x_high - x_low) * (WIDTH - _LEFT - _RIGHT)

    def y(value):
        return HEIGHT - _BOTTOM - (value - y_low) / (y_high - y_low) * (HEIGHT - _TOP - _BOTTOM)

    parts = []
    heights = round_numbers(y_low, y_high, 5)
    for value, text in zip(heights, tick_texts(heights), strict=True):
        parts.append(f'<path d="M{_LEFT} {y(value):.1f}H{WIDTH - _RIGHT}" stroke="{_GRID}"/>')
        parts.append(_text(_LEFT - 6, y(value) + 4, text, "end"))
    whole = [step for step in round_numbers(x_low, x_high, 4) if step == round(step)]
    for step, text in zip(whole, tick_texts(whole), strict=True):
        anchor = "end" if x(step) > WIDTH - 24 else "middle"
        parts.append(_text(x(step), HEIGHT - 7, text, anchor))
    for curve in curves:
        line = [(x(step), y(value)) for step, value in thinned(curve.points)]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in line)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{curve.color}" stroke-width="{curve.width}" '
            f'stroke-linejoin="round"{_dashes(curve)}/>'
        )
        if len(line) < 3:
            dots = [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{curve.color}"/>' for px, py in line]
            parts += dots
    return "".join(parts)


def _dashes(curve):
    return ' stroke-dasharray="5 3"' if curve.dashed else ""


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Keeps the smallest and the largest value of each stretch of steps, so that no peak is lost."""
    if len(points) <= _MOST_POINTS:
        return list(points)
    size = math.ceil(len(points) / (_MOST_POINTS // 2))
    kept = [points[0]]
    for start in range(0, len(points), size):
        stretch = range(start, min(start + size, len(points)))
        extremes = {min(stretch, key=lambda i: points[i][1]), max(stretch, key=lambda i: points[i][1])}
        kept += [points[i] for i in sorted(extremes)]
    return [*kept, points[-1]]


def round_numbers(low: float, high: float, most: int) -> list[float]:
    """Returns up to `most` + 1 evenly spaced round numbers within [low, high]."""
    magnitude = 10.0 ** math.floor(math.log10((high - low) / most))
    gap = next(
        factor * magnitude for factor in (1, 2, 5, 10, 20) if (high - low) / (factor * magnitude) <= most
    )
    return [i * gap for i in range(math.ceil(low / gap - 1e-6), math.floor(high / gap + 1e-6) + 1)]


def tick_texts(values: Sequence[float]) -> list[str]:
    """Writes evenly spaced numbers, all with as many decimals as tell them apart: 0.90, 0.95, 1.00."""
    if len(values) < 2:
        return [short(value) for value in values]
    largest, gap = max(map(abs, values)), values[1] - values[0]
    size, letter = next(((s, of) for s, of in _SIZES if s <= largest), (1.0, ""))
    decimals = max(0, -math.floor(math.log10(gap / size) + 1e-6))
    if decimals > _MOST_DECIMALS or largest >= 1000 * _SIZES[0][0]:
        return [short(value) for value in values]
    return [f"{value / size:.{decimals}f}{letter}" if value else "0" for value in values]


def short(value: float) -> str:
    """Writes a number in few characters: 1.5k, 0.25, 2e-05."""
    if value == 0:
        return "0"
    for size, letter in _SIZES:
        if size <= abs(value) < 1000 * size:
            return f"{value / size:.4g}{letter}"
    return f"{value:.3g}"


def _widened(low, high):
    """A range that has a width, the smallest number of float64 included."""
    if high - low > 1e-9 * max(abs(low), abs(high)):
        return low, high
    margin = max(abs(low), abs(high)) * 0.05 or 1.0
    return low - margin, high + margin


def _text(x, y, text, anchor):
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{_TEXT}" text-anchor="{anchor}">{text}</text>'

"""Sizes of training steps that grow, and what that does to their time and memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.numbers import in_a_process_of_its_own

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Sweep(NamedTuple):
    """One size of a case that grows.

    Attributes:
        case: of `benchmarks.run`.
        flag: the changed flag, a template.
        sizes: its values.
        others: flags for all sizes.
        of: what the size counts.
        power: linear growth is growth like size^power.
    """

    case: str
    flag: str
    sizes: Sequence[int]
    others: Sequence[str]
    of: str
    power: int = 1


_SCAE, _EMORL = "scae_mnist_train", "emorl_tetrominoes_train"
_ONE_REFINEMENT = "--refinement_curriculum=-1:1"
SWEEPS = {
    "scae_batch": Sweep(_SCAE, "--batch_size={}", (1, 4, 16, 64, 256), (), "examples"),
    "scae_parts": Sweep(_SCAE, "--n_part_caps={}", (16, 24, 32, 48, 64), ("--batch_size=32",), "parts"),
    "scae_objects": Sweep(_SCAE, "--n_obj_caps={}", (8, 16, 32, 64, 128), ("--batch_size=32",), "objects"),
    "scae_size": Sweep(
        _SCAE, "--canvas_size={}", (35, 48, 64, 96, 128), ("--batch_size=16",), "pixels of a side", 2
    ),
    "emorl_batch": Sweep(_EMORL, "--batch_size={}", (1, 4, 16, 64, 256), (_ONE_REFINEMENT,), "examples"),
    "emorl_slots": Sweep(_EMORL, "--K={}", (4, 6, 8, 12, 16), ("--batch_size=4", _ONE_REFINEMENT), "slots"),
    "emorl_size": Sweep(
        "emorl_clevr6_train",
        "--input_size=3,{0},{0}",
        (36, 48, 64, 96, 128),
        ("--batch_size=2",),
        "pixels of a side",
        2,
    ),
    "emorl_refinements": Sweep(
        _EMORL, "--refinement_curriculum=-1:{}", (0, 1, 2, 3, 4, 5), ("--batch_size=8",), "refinements"
    ),
}


def measured(sweep: Sweep, seconds: float) -> dict[str, list[float]]:
    """Returns sizes, and for each the processor seconds of a step and the megabytes that it needs."""
    of_sizes = [
        in_a_process_of_its_own(sweep.case, seconds, [*sweep.others, sweep.flag.format(size)])
        for size in sweep.sizes
    ]
    return {
        "size": list(sweep.sizes),
        "amount": [size**sweep.power for size in sweep.sizes],
        "cpu_s": [numbers["cpu_s_per_step"] for numbers in of_sizes],
        "mb": [numbers["peak_rss_mb"] - numbers["built_rss_mb"] for numbers in of_sizes],
    }


def exponent(amounts: Sequence[float], values: Sequence[float]) -> float:
    """Returns p of amount^p through the two largest."""
    return math.log(values[-1] / values[-2]) / math.log(amounts[-1] / amounts[-2])


def row(name: str, result: dict[str, list[float]]) -> str:
    """Returns a line of the table."""
    cells = [name, ", ".join(str(size) for size in result["size"])]
    for key, unit in (("cpu_s", 1e3), ("mb", 1.0)):
        cells += [", ".join(f"{value * unit:.0f}" for value in result[key])]
        cells += [f"{exponent(result['amount'], result[key]):.2f}"]
    return "| " + " | ".join(cells) + " |"


def figure(results: dict[str, Any]) -> Figure:
    """Draws all sweeps, time above memory."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(3.0 * len(results), 5.6), layout="constrained")
    axes = drawn.subplots(2, len(results), squeeze=False)
    for column, (name, result) in enumerate(results.items()):
        for line, (key, label) in enumerate((("cpu_s", "processor seconds"), ("mb", "MB"))):
            axis = axes[line, column]
            sizes, values = result["size"], result[key]
            axis.plot(sizes, values, "o-")
            amounts = result["amount"]
            linear = [values[-1] * amount / amounts[-1] for amount in amounts]
            axis.plot(sizes, linear, ":", color="gray")
            if min(sizes) > 0:
                axis.set_xscale("log", base=2)
                axis.set_yscale("log", base=2)
                axis.set_xticks(sizes, [str(size) for size in sizes])
            axis.set_title(f"{name}: {exponent(amounts, values):.2f}", fontsize=9)
            axis.set_xlabel(SWEEPS[name].of)
            axis.set_ylabel(f"{label} a step")
    return drawn

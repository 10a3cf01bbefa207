"""What a set of scenes holds: values, objects and factors, and whether its masks partition the pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np


class MaskCounts(NamedTuple):
    """What masks are like.

    Attributes:
        shape: E, H and W.
        values: all that occur, ascending.
        overlaps: pixels that are in several entities.
        overlap_scenes: scenes with such pixels.
        gaps: pixels that are in none.
        gap_scenes: scenes with such pixels.
    """

    shape: tuple[int, int, int]
    values: tuple[int, ...]
    overlaps: int
    overlap_scenes: int
    gaps: int
    gap_scenes: int


class SceneSummary(NamedTuple):
    """What a set holds.

    Attributes:
        n: number of scenes.
        shape: H, W and C of the images.
        low: least value of the images.
        high: greatest value.
        mean: mean value.
        masks: None where there are none.
        objects: number of objects, by masks or else by visibility -> number of scenes; empty: not known.
        factors: float32 [M, F], those of all M visible objects; None where there are none.
    """

    n: int
    shape: tuple[int, int, int]
    low: float
    high: float
    mean: float
    masks: MaskCounts | None
    objects: Counter[int]
    factors: np.ndarray | None


def summarize(batches: Iterable[Mapping[str, np.ndarray]]) -> SceneSummary:
    """Goes through a set once.

    Args:
        batches: at least one, as `load` gives them with `check_masks=False`: "image" [B, H, W, C]; "mask"
            [B, E, H', W'], "factors" [B, E, F] and "visibility" [B, E] where there are some. Entity 0 is the
            background.
    """
    n, total, lows, highs, shape = 0, 0.0, [], [], ()
    objects: Counter[int] = Counter()
    masks: MaskCounts | None = None
    factors = []
    for batch in batches:
        image = batch["image"]  # [B, H, W, C]
        n, shape = n + len(image), image.shape[1:]
        total += image.sum(dtype=np.float64)
        lows.append(image.min())
        highs.append(image.max())
        if "mask" in batch:
            masks = _added(masks, batch["mask"])
        if "factors" in batch:
            visible = batch["visibility"][:, 1:] > 0  # [B, E - 1]
            factors.append(batch["factors"][:, 1:][visible])  # [M, F]
        if "mask" in batch:
            objects.update((batch["mask"][:, 1:] > 0).any(axis=(2, 3)).sum(axis=1).tolist())
        elif "factors" in batch:
            objects.update(visible.sum(axis=1).tolist())
    mean = total / (n * np.prod(shape))
    kept = np.concatenate(factors) if factors else None
    return SceneSummary(n, shape, float(min(lows)), float(max(highs)), float(mean), masks, objects, kept)


def _added(counts, mask):
    """Counts a batch of masks, uint8 [B, E, H, W], too."""
    owners = (mask > 0).sum(axis=1)  # [B, H, W]
    several, none = owners > 1, owners == 0  # [B, H, W]
    earlier = counts or MaskCounts(mask.shape[1:], (), 0, 0, 0, 0)
    return MaskCounts(
        shape=mask.shape[1:],
        values=tuple(sorted({*earlier.values, *np.unique(mask).tolist()})),
        overlaps=earlier.overlaps + int(several.sum()),
        overlap_scenes=earlier.overlap_scenes + int(several.any(axis=(1, 2)).sum()),
        gaps=earlier.gaps + int(none.sum()),
        gap_scenes=earlier.gap_scenes + int(none.any(axis=(1, 2)).sum()),
    )

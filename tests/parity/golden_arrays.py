"""Reads arrays computed by the papers' own code, and compares tensors with them.

A test takes its files from `golden_files(kind)` and its sizes, options and seeds from `meta`, never from a
file's name. Files come from the folder in the environment variable PARITY_DIR if set, else from `golden/`.
"""

from __future__ import annotations

import functools
import json
import os
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

#: Tolerances of float32 against float32, relative to the largest value, to the norm, to the norm.
OUTPUT_RTOL = 1e-5
GRADIENT_RTOL = 1e-4
UPDATE_RTOL = 1e-3
#: How many times its own rounding error the reference may be missed by.
F64ERR_FACTOR = 10.0

KINDS = ("scae", "scae_units", "emorl", "emorl_train", "emorl_units")


class Golden(NamedTuple):
    """One file.

    Attributes:
        meta: what was computed: case, seed, config, variables, ...
        arrays: key -> array, or `<key>/digest` and `<key>/sample` where it was large.
    """

    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def weight(self, name: str) -> np.ndarray:
        """Returns the start value of a model's variable."""
        return weight(name, self.meta["seed"], **self.meta["variables"][name])

    def unit_weight(self, unit: str, name: str) -> np.ndarray:
        """Returns the value of a unit's variable."""
        return weight(name, self.meta["seed"], **self.meta["units"][unit][name])

    def names(self, prefix: str) -> list[str]:
        """Returns the rest of each key after `prefix`; a large array's name comes once."""
        rest = (key[len(prefix) :] for key in self.arrays if key.startswith(prefix))
        return list(dict.fromkeys(r.removesuffix("/digest").removesuffix("/sample") for r in rest))

    def largest(self, key: str) -> float:
        """Returns the largest finite magnitude of an array."""
        if f"{key}/digest" in self.arrays:
            return float(np.abs(self.arrays[f"{key}/digest"][2:4]).max())  # of its minimum and maximum
        values = np.abs(np.asarray(self.arrays[key], np.float64))
        return float(values[np.isfinite(values)].max(initial=0.0))

    def f64err(self, key: str) -> np.ndarray:
        """Returns the rounding error that is allowed: float64 [2], largest and L2; zeros if not given."""
        return F64ERR_FACTOR * self.arrays.get(f"f64err/{key}", np.zeros(2))


def golden_files(kind: str) -> list[Path]:
    """Lists the files of one of `KINDS`; a missing folder and an unreadable file raise."""
    assert kind in KINDS, kind
    return [path for path in all_files() if kind_of(load(path).meta) == kind]


def all_files() -> list[Path]:
    """Lists every file; none at all raises."""
    folder = Path(os.environ.get("PARITY_DIR") or Path(__file__).parent / "golden")
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise FileNotFoundError(f"no golden arrays (*.npz) in {folder}")
    return files


def kind_of(meta: dict[str, Any]) -> str:
    """Tells what was computed."""
    family = "scae" if "scae" in meta["case"] else "emorl"
    if "units" in meta:
        return f"{family}_units"
    return "emorl_train" if family == "emorl" and "optimizer" in meta else family


@functools.cache
def load(path: Path) -> Golden:
    """Reads a file; what is no golden file raises a ValueError that names it."""
    try:
        with np.load(path, allow_pickle=False) as members:
            meta, index = json.loads(str(members["meta"])), json.loads(str(members["index"]))
            blobs = {name: members[name] for name in {blob for blob, _, _ in index.values()}}
        arrays = {
            key: blobs[blob][start : start + int(np.prod(shape, dtype=np.int64))].reshape(shape)
            for key, (blob, start, shape) in index.items()
        }
        kind_of(meta)
    except Exception as error:
        raise ValueError(f"{path} is no file of golden arrays: {error!r}") from error
    return Golden(meta, arrays)


# Rules that stand for arrays.


def weight(name: str, seed: int, shape: list[int], scale: float, offset: float) -> np.ndarray:
    """Returns the start value of a variable."""
    z = np.asarray(np.random.default_rng([_crc(name), seed]).standard_normal(tuple(shape)), np.float32)
    return np.asarray(np.float32(scale) * z + np.float32(offset), np.float32)


def emorl_noise(seed: int, tag: int, i: int, shape: tuple[int, ...]) -> np.ndarray:
    """Returns draw i of a forward pass of EMORL."""
    return np.random.default_rng([seed, tag, i]).standard_normal(shape).astype(np.float32)


def digest(key: str, values: np.ndarray) -> np.ndarray:
    """Returns [mean, std, min, max, L2 norm, projection, L1 norm]."""
    f = np.asarray(values, np.float64).ravel()
    r = np.random.default_rng([_crc(key), 7]).standard_normal(f.size)
    return np.array([f.mean(), f.std(), f.min(), f.max(), np.sqrt(f @ f), f @ r, np.abs(f).sum()])


def sample(key: str, values: np.ndarray, n: int) -> np.ndarray:
    """Returns n elements (all if there are not more), drawn with replacement."""
    f = np.asarray(values).ravel()
    return f if f.size <= n else f[np.random.default_rng(_crc(key)).integers(0, f.size, n)]


def norm_and_projection(name: str, values: np.ndarray) -> np.ndarray:
    """Returns [L2 norm, projection] of a gradient or an update."""
    f = np.asarray(values, np.float64).ravel()
    return np.array([np.sqrt(f @ f), f @ np.random.default_rng([_crc(name), 7]).standard_normal(f.size)])


def _crc(key: str) -> int:
    return zlib.crc32(key.encode("utf-8"))


# Comparisons.


def assert_output(golden: Golden, key: str, got: Any, rtol: float = OUTPUT_RTOL) -> None:
    """Compares an output, stored whole or as digest and sample; integers must be equal."""
    got = np.asarray(got)
    whole = golden.arrays.get(key)
    if whole is not None and not np.issubdtype(whole.dtype, np.floating):
        np.testing.assert_array_equal(got, whole, err_msg=key)
        return
    largest, l2 = golden.f64err(key)
    atol = max(rtol * golden.largest(key), largest)
    if whole is not None:
        _assert_within(key, got, whole, atol)
        return
    want = golden.arrays[f"{key}/digest"]
    atol_l2 = max(rtol * want[4], l2)
    atol_l1 = max(rtol * want[6], got.size**0.5 * l2)
    atols = np.array([atol, atol, atol, atol, atol_l2, 3.0 * atol_l2, atol_l1])  # 3: r is a normal vector
    _assert_within(f"{key}/digest", digest(key, got), want, atols)
    stored = golden.arrays[f"{key}/sample"]
    _assert_within(f"{key}/sample", sample(key, got, stored.size), stored, atol)


def assert_gradient(
    golden: Golden, key: str, got: Any, rtol: float = GRADIENT_RTOL, atol: float = 0.0
) -> None:
    """Compares a gradient stored whole (or as digest and sample) by the L2 norm of the difference.

    Args:
        golden: Where from.
        key: Key of the array.
        got: The gradient.
        rtol: Share of the gradient's own norm.
        atol: Norm below which a difference does not count: for gradients that are exactly zero.
    """
    if key not in golden.arrays:
        assert_output(golden, key, got, rtol)
        return
    want = np.asarray(golden.arrays[key], np.float64)
    bad = ~np.isfinite(want)
    assert np.shape(got) == want.shape, f"{key}: shape {np.shape(got)}, expected {want.shape}"
    np.testing.assert_array_equal(np.asarray(got)[bad], want[bad], err_msg=key)
    difference = np.linalg.norm((np.asarray(got, np.float64) - want)[~bad])
    allowed = max(rtol * np.linalg.norm(want[~bad]), golden.f64err(key)[1], atol)
    assert difference <= allowed, f"{key}: L2 norm of the difference {difference:.3g}, allowed {allowed:.3g}"


def assert_projected(
    golden: Golden,
    key: str,
    name: str,
    got: Any,
    rtol: float = GRADIENT_RTOL,
    atol: float = 0.0,
    sample_key: str | None = None,
) -> None:
    """Compares a gradient or an update stored as [L2 norm, projection], and its sample if there is one.

    Args:
        golden: Where from.
        key: Key of the pair.
        name: Name of the variable, which seeds the projection and the sample.
        got: The gradient, or the change of the variable.
        rtol: Share of the norm.
        atol: Norm below which a difference does not count: for gradients that are exactly zero.
        sample_key: Key of the sample.
    """
    want = golden.arrays[key]
    allowed = max(rtol * want[0], golden.f64err(key)[1], atol)
    # a difference of that norm projects on r, a normal vector, with that standard deviation
    _assert_within(key, norm_and_projection(name, got), want, allowed * np.array([1.0, 3.0]))
    if sample_key is not None:
        stored = golden.arrays[sample_key]
        largest = np.abs(stored).max(initial=0.0)
        allowed = max(rtol * largest, golden.f64err(key)[0], atol)
        _assert_within(sample_key, sample(name, got, stored.size), stored, allowed)


def assert_mode(golden: Golden, key: str, got: Any, n_off: int = 3, atol: float = 1e-3) -> None:
    """Compares a mode image, in which near-ties between components may flip up to `n_off` single pixels."""
    part = key if key in golden.arrays else f"{key}/sample"
    want = golden.arrays[part]
    got = np.asarray(got) if part == key else sample(key, got, want.size)
    assert got.shape == want.shape, f"{key}: shape {got.shape}, expected {want.shape}"
    off = int((np.abs(got - want) > atol).sum())
    assert off <= n_off, f"{key}: {off} of {want.size} pixels differ, allowed {n_off}"


def _assert_within(key, got, want, atol):
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    assert got.shape == want.shape, f"{key}: shape {got.shape}, expected {want.shape}"
    bad = ~np.isfinite(want)
    np.testing.assert_array_equal(got[bad], want[bad], err_msg=key)
    excess = np.where(bad, 0.0, np.abs(got - np.where(bad, 0.0, want)) - atol)
    at = np.unravel_index(np.argmax(np.nan_to_num(excess, nan=np.inf)), excess.shape)
    allowed = np.broadcast_to(atol, want.shape)[at]
    assert excess[at] <= 0.0, (
        f"{key}{list(map(int, at))}: {got[at]!r}, expected {want[at]!r} +- {allowed:.3g}"
    )

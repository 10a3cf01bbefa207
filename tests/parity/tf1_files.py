"""Files in the original's own format, with the golden arrays' rule-made weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from tests.parity.golden_arrays import Golden

STEP = 7


def arrays_of(golden: Golden) -> dict[str, np.ndarray]:
    """Returns what the original stores: weights, slots that follow from them, and the step."""
    arrays = {"global_step": np.int64(STEP)}
    for name in golden.meta["variables"]:
        arrays[name] = golden.weight(name)
        if name not in golden.meta["no_gradient"]:
            arrays[f"{name}/RMSProp"] = np.square(arrays[name])
            arrays[f"{name}/RMSProp_1"] = np.float32(-0.01) * arrays[name]
    return arrays


def write_tf1_checkpoint(golden: Golden, prefix: Path) -> str:
    """Writes them as TensorFlow 1's Saver does, with moving averages of a report of both sets beside them."""
    averages = ("target/ExponentialMovingAverage", "target/ExponentialMovingAverage_1")
    arrays = arrays_of(golden)
    arrays |= {f"{a}{end}": np.float32(1.0) for a in averages for end in ("", "/biased", "/local_step")}
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(arrays),
        shape_and_slices=[""] * len(arrays),
        tensors=[tf.constant(array) for array in arrays.values()],
    )
    return str(prefix)

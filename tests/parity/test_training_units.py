"""Clipping, Adam and learning rates against the originals' arrays."""

import numpy as np
import pytest
import tensorflow as tf

from discovery.training.gradient_clipping import Clipping
from discovery.training.optimizers import Adam
from discovery.training.schedules import WarmUpAndDecay
from tests.parity import golden_arrays

SCAE = golden_arrays.golden_files("scae_units")
EMORL = golden_arrays.golden_files("emorl_units")
scae_files = pytest.mark.parametrize("path", SCAE, ids=lambda path: path.stem)
emorl_files = pytest.mark.parametrize("path", EMORL, ids=lambda path: path.stem)


@scae_files
@pytest.mark.parametrize(
    ("case", "clipping"),
    [("value", Clipping(value=0.5)), ("norm", Clipping(norm=0.1)), ("both", Clipping(value=0.5, norm=0.1))],
)
def test_scae_clipping(path, case, clipping):
    golden = golden_arrays.load(path)
    given = {n[1:]: golden.arrays[f"clip_gradients/in/{n}"] for n in golden.names("clip_gradients/in/")}
    # The original was given three gradients: the first, none, the last.
    first, last = [tf.constant(given[key]) for key in sorted(given)]
    clipped, _ = clipping.clip([first, None, last])
    assert clipped[1] is None
    for i in (0, 2):
        golden_arrays.assert_output(golden, f"clip_gradients/out/{case}{i}", clipped[i])


@emorl_files
@pytest.mark.parametrize("case", ["big", "small"])
def test_emorl_clipping(path, case):
    golden = golden_arrays.load(path)
    names = [name for name in golden.names(f"clip/{case}/") if name.startswith("in")]
    gradients = [tf.constant(golden.arrays[f"clip/{case}/{name}"]) for name in names]
    clipping = Clipping(norm=5.0, norm_per_parameter=False, norm_margin=1e-6)
    clipped, _ = clipping.clip(gradients)
    golden_arrays.assert_output(golden, f"clip/{case}/norm", tf.linalg.global_norm(gradients))
    for name, gradient in zip(names, clipped, strict=True):
        golden_arrays.assert_output(golden, f"clip/{case}/{name.replace('in', 'out')}", gradient)


@emorl_files
def test_adam(path):
    golden = golden_arrays.load(path)
    notes = golden.meta["notes"]["adam"]
    adam = Adam(*notes["betas"], notes["eps"])
    gradients = golden.arrays["adam/grads"]  # [steps, n], from 1e-12 to 1
    variables = [tf.zeros(gradients.shape[1])]
    slots = adam.init(variables)
    after = []
    for step, gradient in enumerate(gradients):
        variables, slots = adam.update(
            [tf.constant(gradient)], slots, variables, notes["lr"], tf.constant(step)
        )
        after.append(variables[0])
    np.testing.assert_allclose(np.stack(after), golden.arrays["adam/params_after"], rtol=1e-5)


@emorl_files
def test_warm_up_and_decay(path):
    golden = golden_arrays.load(path)
    runs = {name.split("/")[0] for name in golden.names("lr/")}
    rate = golden.arrays["lr/fresh/lr"].max()  # reached at the end of the warm-up
    schedule = WarmUpAndDecay(float(rate))
    for run in sorted(runs):
        steps, rates = golden.arrays[f"lr/{run}/step"], golden.arrays[f"lr/{run}/lr"]
        # The original's first rate after a resume is wrong; a resumed run here is equal to an unbroken one.
        skip = 1 if run.startswith("resumed") and steps[0] > schedule.warmup_steps + 1 else 0
        got = [schedule(tf.constant(step)) for step in steps[skip:]]
        np.testing.assert_allclose(got, rates[skip:], rtol=1e-6, err_msg=run)

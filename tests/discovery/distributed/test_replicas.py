"""Many replicas compute what one does, and mistakes in asking for them are explained."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from discovery import UserError
from discovery.distributed.replicas import make_replicas
from discovery.training.execution import Execution, Validation
from discovery.training.gradient_clipping import Clipping
from discovery.training.optimizers import Adam, RMSProp
from discovery.training.schedules import ExponentialDecay
from discovery.training.step import TrainingStep
from discovery.training.train_state import TrainState
from tests.discovery.training.toy_model import make_toy, toy_data

UPDATES = {
    "scae": (RMSProp(1e-4), Clipping(value=0.05, norm=0.01)),
    "emorl": (Adam(), Clipping(norm=0.03, norm_per_parameter=False, norm_margin=1e-6)),
}


def five_steps(n_replicas, optimizer, clipping):
    """Trains the toy; returns all metrics, all variables as first and last replica hold them, validation."""
    replicas = make_replicas("mirrored", n_replicas)
    assert replicas.n == n_replicas
    with replicas.scope():
        model = make_toy()
    state = TrainState(model, optimizer, replicas)
    step = TrainingStep(model, optimizer, ExponentialDecay(0.05, decay_steps=1), clipping, statistics_every=1)
    execution = Execution(step, state, replicas, seed=3)
    iterator = replicas.iterate(toy_data().train(0))
    metrics = [execution.steps(iterator) for _ in range(5)]
    assert all(m.as_floats()["grad_global_norm"] > m.as_floats()["clipped_grad_norm"] for m in metrics)
    validation = Validation(model, state, replicas, seed=3)(replicas.iterate(toy_data().valid(0)))
    copies = [
        {n: replicas.strategy.experimental_local_results(v)[i].numpy() for n, v in state.named.items()}
        for i in (0, -1)
    ]
    return np.stack([m.values for m in metrics]), copies, validation.values.numpy()


@pytest.mark.parametrize("system", UPDATES)
def test_replicas_equal_one(system):
    one, (variables, _), validation = five_steps(1, *UPDATES[system])
    for n in (2, 4):
        metrics, (first, last), valid = five_steps(n, *UPDATES[system])
        np.testing.assert_allclose(metrics, one, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(valid, validation, rtol=1e-5)
        for name, value in variables.items():
            np.testing.assert_allclose(first[name], value, rtol=1e-5, atol=1e-7, err_msg=name)
            np.testing.assert_array_equal(last[name], first[name], err_msg=name)


def test_gradients_of_replicas_equal_those_of_one():
    """Clipping and optimizers hide a factor common to all gradients, so they are compared by themselves."""
    gradients = {}
    for n in (1, 2, 4):
        replicas = make_replicas("mirrored", n)
        with replicas.scope():
            model = make_toy()
        state = TrainState(model, RMSProp(1e-4), replicas)
        step = TrainingStep(
            *(model, RMSProp(1e-4), ExponentialDecay(0.1)),
            batch_sum=replicas.batch_sum,
            gradient_sum=replicas.gradient_sum,
        )

        @tf.function(autograph=False)
        def compute(batch, replicas=replicas, state=state, step=step):
            def on_replica(batch):
                seed = replicas.seed(tf.constant([7, 0]))
                _, _, (unused, *present), _ = step.gradients(state.read()[0], batch, tf.constant(0), seed)
                assert unused is None
                return present

            return [replicas.first(g) for g in replicas.strategy.run(on_replica, args=(batch,))]

        gradients[n] = [g.numpy() for g in compute(next(replicas.iterate(toy_data().train(0))))]
    for n in (2, 4):
        for got, want in zip(gradients[n], gradients[1], strict=True):
            assert np.linalg.norm(got - want) <= 1e-5 * np.linalg.norm(want)


def test_batches_are_split_in_contiguous_rows():
    replicas = make_replicas("mirrored", 4)
    whole = next(iter(toy_data().train(3)))["x"].numpy()
    parts = replicas.strategy.experimental_local_results(next(replicas.iterate(toy_data().train(3)))["x"])
    for i, part in enumerate(parts):
        np.testing.assert_array_equal(part, whole[2 * i : 2 * i + 2])


@pytest.mark.parametrize(
    ("strategy", "replicas", "message"),
    [
        ("mirored", 0, "--strategy=mirored is unknown: choose from auto, single, mirrored"),
        ("single", 2, "--strategy=single has one replica"),
        ("auto", -1, "--replicas=-1 is negative"),
        ("mirrored", 64, "before TensorFlow initializes its devices"),
    ],
)
def test_wrong_requests(strategy, replicas, message):
    tf.constant(0)  # devices are initialized
    with pytest.raises(UserError, match=message):
        make_replicas(strategy, replicas)


def test_batch_must_be_divisible():
    with pytest.raises(UserError, match="a batch of 6 cannot be split over 4 replicas"):
        make_replicas("mirrored", 4).check_batch_size(6)
    make_replicas("auto").check_batch_size(7)


def test_a_model_built_outside_the_scope_is_refused():
    model = make_toy()
    with pytest.raises(ValueError, match=r"replicas\.scope"):
        TrainState(model, Adam(), make_replicas("mirrored", 2))


def test_the_cpu_is_split_in_a_fresh_process():
    program = "from discovery.distributed.replicas import make_replicas; print(make_replicas('auto', 3).n)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split()[-1] == "3"

"""What every layer and model promises: it can be stored, compiled, and spread over replicas."""

import functools
import importlib
import inspect
import json
import pkgutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from discovery import Seed
from discovery.distributed.replicas import make_replicas, single_replica
from discovery.snapshots import restore_model
from discovery.training.optimizers import RMSProp
from discovery.training.save_and_resume import write_snapshot
from discovery.training.schedules import Constant
from discovery.training.step import TrainingStep, Variables
from discovery.training.train_state import TrainState
from tests.conformance.case import BATCH_SIZE
from tests.conformance.registry import CASES, PACKAGES

every_case = pytest.mark.parametrize("name", CASES)
every_model = pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.is_model])
every_layer = pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.is_model])
SEED = Seed.of(7)
STEP = tf.constant(5, tf.int64)


def test_the_registry_is_complete():
    present = {type(case.make()) for case in CASES.values()}
    assert len(present) == len(CASES)
    for package in map(importlib.import_module, PACKAGES):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for name, member in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
                if issubclass(member, keras.layers.Layer) and member.__module__ == module.name:
                    covered = any(issubclass(layer, member) for layer in present)  # itself, or what it is for
                    assert covered or name.startswith("_"), f"{member} has no case"


@every_case
def test_configuration(name):
    layer, again = reference(name), from_configuration(name)
    assert type(again) is type(layer)
    assert json.dumps(again.get_config()) == json.dumps(layer.get_config())
    options = set(inspect.signature(type(layer).__init__).parameters) - {"self", "kwargs"}
    told = layer.get_config().keys()
    assert options <= (told | {"config"} if "options" in told else told)  # Keras keeps the name `config`
    copy_weights(layer, again)
    assert_close(called(name, again, SEED), expected(name), 0)
    assert_close(called(name, again, None), called(name, layer, None), 0)


@every_case
def test_graph_for_any_batch_size(name):
    case, layer = CASES[name], reference(name)
    arguments = case.arguments()
    signature = {k: tf.TensorSpec([None, *v.shape[1:]], v.dtype) for k, v in arguments.items()}
    graph = tf.function(lambda a, seed: outputs(case.call(layer, a, seed)))
    concrete = graph.get_concrete_function(signature, SEED)
    assert_close(concrete(arguments, SEED), expected(name), case.rtol)
    part = {k: v[:3] for k, v in arguments.items()}
    assert_close(concrete(part, SEED), outputs(case.call(layer, part, SEED)), case.rtol)


@every_layer  # of models, a whole step is compiled below
def test_xla(name):
    case, layer = CASES[name], reference(name)
    compiled = tf.function(lambda a, seed: outputs(case.call(layer, a, seed)), jit_compile=True)
    assert_close(compiled(case.arguments(), SEED), expected(name), case.rtol)


@every_case
def test_replicas_give_what_one_gives(name):
    case, replicas = CASES[name], make_replicas("mirrored", 2)
    with replicas.scope():
        layer = type(reference(name)).from_config(reference(name).get_config())
        case.build(layer)
    copy_weights(reference(name), layer)

    @tf.function
    def run(arguments):
        def on_replica(rows):
            return outputs(case.call(layer, rows, replicas.seed(SEED.key)))

        per_replica = replicas.strategy.run(on_replica, args=(arguments,))
        return [replicas.strategy.experimental_local_results(leaf) for leaf in per_replica]

    dataset = tf.data.Dataset.from_tensor_slices(case.arguments()).batch(BATCH_SIZE)
    for got, want in zip(run(next(replicas.iterate(dataset))), expected(name), strict=True):
        if want.shape[:1] == BATCH_SIZE:
            assert_close(tf.concat(got, 0), want, case.rtol)
        else:  # no example's own
            for of_replica in got:
                assert_close(of_replica, want)


@every_model
def test_keras_file(name, tmp_path):
    model = reference(name)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert [w.path for w in again.weights] == [w.path for w in model.weights]
    assert_close(called(name, again, SEED), expected(name), 0)


@every_model
def test_snapshot(name, tmp_path):
    model, again = reference(name), from_configuration(name)
    again.set_weights([np.full_like(weight, 0.5) for weight in again.get_weights()])
    state = TrainState(model, RMSProp(1e-4), single_replica())
    prefix = write_snapshot(tmp_path, 3, {k: v.numpy() for k, v in state.named.items()})
    restore_model(prefix, again)
    assert_close(called(name, again, SEED), expected(name), 0)


@pytest.mark.slow
@every_model
def test_xla_compiles_the_whole_step(name):
    model = reference(name)
    optimizer = RMSProp(1e-4)
    step = TrainingStep(model, optimizer, Constant(1e-3), statistics_every=2)
    values = Variables(
        [tf.convert_to_tensor(w) for w in model.trainable_weights],
        [tf.convert_to_tensor(w) for w in model.non_trainable_weights],
    )
    arguments = (values, optimizer.init(values.trainable), CASES[name].arguments(), STEP, SEED)
    want = tf.function(step, autograph=False)(*arguments)
    got = tf.function(step, autograph=False, jit_compile=True)(*arguments)
    assert_close(got[2], want[2])
    for kind in ("trainable", "non_trainable"):
        for old, new, other in zip(*(getattr(v, kind) for v in (values, want[0], got[0])), strict=True):
            change = norm(new - old)
            assert norm(other - new) <= 1e-3 * change + 1e-9


@pytest.mark.slow
@every_model
def test_gradients_of_replicas_are_those_of_one(name):
    loss, metrics, gradients = loss_and_gradients(name, single_replica())
    other_loss, other_metrics, other_gradients = loss_and_gradients(name, make_replicas("mirrored", 2))
    assert_close((other_loss, other_metrics), (loss, metrics))
    assert gradients.keys() == other_gradients.keys()
    rounding = 1e-8 * norm([norm(g) for g in gradients.values()])  # some are exactly zero
    for path, gradient in gradients.items():
        error = norm(other_gradients[path] - gradient)
        assert error <= 1e-5 * norm(gradient) + rounding, path


def norm(values):
    """Returns the Euclidean norm, of values whose squares float32 cannot hold, too."""
    return float(np.linalg.norm(np.asarray(values, np.float64)))


def loss_and_gradients(name, replicas):
    """Returns loss, metrics and, by the variables' paths, gradients of a batch that replicas share."""
    case = CASES[name]
    with replicas.scope():
        model = case.make()
    copy_weights(reference(name), model)
    state = TrainState(model, RMSProp(1e-4), replicas)
    step = TrainingStep(
        *(model, RMSProp(1e-4), Constant(0.1)),
        batch_sum=replicas.batch_sum,
        gradient_sum=replicas.gradient_sum,
    )
    paths = []

    @tf.function(autograph=False)
    def compute(batch):
        def on_replica(rows):
            loss, metrics, gradients, _ = step.gradients(state.read()[0], rows, STEP, replicas.seed(SEED.key))
            weights = zip(model.trainable_weights, gradients, strict=True)
            paths[:] = [weight.path for weight, gradient in weights if gradient is not None]
            return loss, metrics, [gradient for gradient in gradients if gradient is not None]

        return tf.nest.map_structure(replicas.first, replicas.strategy.run(on_replica, args=(batch,)))

    dataset = tf.data.Dataset.from_tensor_slices(case.arguments()).batch(BATCH_SIZE, drop_remainder=True)
    loss, metrics, gradients = compute(next(replicas.iterate(dataset)))
    return loss, metrics, dict(zip(paths, (g.numpy() for g in gradients), strict=True))


@functools.cache
def reference(name):
    """Makes a case's layer or model with weights that differ from all initial ones."""
    layer = CASES[name].make()
    CASES[name].build(layer)
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(weight + rng.normal(0.0, 0.02, weight.shape))
    return layer


@functools.cache
def from_configuration(name):
    """Makes another one of what the case's layer or model says of itself, as JSON; weights are its tests'."""
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(reference(name))))
    layer = keras.saving.deserialize_keras_object(config)
    CASES[name].build(layer)
    return layer


@functools.cache
def expected(name):
    """Returns what it gives in eager mode, with noise if it has any."""
    return called(name, reference(name), SEED)


def called(name, layer, seed):
    return outputs(CASES[name].call(layer, CASES[name].arguments(), seed))


def copy_weights(layer, other):
    assert [(w.path, w.shape) for w in other.weights] == [(w.path, w.shape) for w in layer.weights]
    for source, target in zip(layer.weights, other.weights, strict=True):
        target.assign(source.numpy())


def outputs(structure):
    """Returns its tensors; what is None is left out."""
    return [tf.convert_to_tensor(leaf) for leaf in tf.nest.flatten(structure) if leaf is not None]


def assert_close(got, want, rtol=1e-5):
    """Compares to a share of the largest magnitude."""
    for one, other in zip(tf.nest.flatten(got), tf.nest.flatten(want), strict=True):
        one, other = np.asarray(one), np.asarray(other)
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        atol = rtol * max(1.0, np.abs(other).max(initial=0.0))
        np.testing.assert_allclose(one, other, rtol=0, atol=atol)

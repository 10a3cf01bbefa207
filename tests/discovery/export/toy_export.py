"""The toy's step as a program, and what the ordinary step makes of the same batches."""

import dataclasses

import numpy as np
import tensorflow as tf

from discovery import PureBatches, Seed
from discovery.distributed.replicas import single_replica
from discovery.export.program import Layout, initial_state, program_of
from discovery.training.gradient_clipping import Clipping
from discovery.training.optimizers import RMSProp
from discovery.training.schedules import ExponentialDecay
from discovery.training.step import TrainingStep
from discovery.training.train_state import TrainState
from tests.discovery.training.toy_model import make_toy, toy_batch

SEED, N_MOST, N_STEPS = 3, 4, 12


def toy_rows(broken_at=None):
    """The batches of all steps, float32 [n_steps, B, 3]; one may hold a NaN."""
    rows = np.stack([toy_batch(step)["x"] for step in range(N_STEPS)])
    if broken_at is not None:
        rows[broken_at, 0, 0] = np.nan
    return rows


def toy_batches(rows):
    """Batches of these rows without tf.data."""
    return PureBatches(
        lambda n_steps: {"x": rows[:n_steps]},
        lambda arrays, first, n: lambda step: {"x": tf.gather(arrays["x"], step)},
    )


def toy_step(**options):
    """A step of a new toy."""
    how = (RMSProp(1e-4), ExponentialDecay(0.05, decay_steps=10), Clipping(0.5, 0.1))
    return TrainingStep(make_toy(), *how, options=options, statistics_every=3)


def toy_program(rows, **options):
    """Returns the program, what it begins with, and its data."""
    step, batches = toy_step(**options), toy_batches(rows)
    data = batches.arrays(N_STEPS)
    program = program_of(step, batches, data, SEED, N_MOST)
    state = TrainState(step.model, step.optimizer, single_replica())
    return program, initial_state(program, state), data


def ordinary_steps(rows, n, options_at=lambda step: {}):
    """Returns the state by name and the metrics of each of n steps, taken one by one."""
    step = toy_step()
    variables, slots = TrainState(step.model, step.optimizer, single_replica()).read()
    metrics, functions = [], {}
    for i in range(n):
        options = options_at(i)
        one = functions.setdefault(
            str(options), tf.function(dataclasses.replace(step, options=options), autograph=False)
        )
        batch, number = {"x": tf.constant(rows[i])}, tf.constant(i, tf.int64)
        variables, slots, found = one(variables, slots, batch, number, Seed.of(SEED))
        metrics.append({name: value.numpy() for name, value in found.items()})
    return {n: v.numpy() for n, v in Layout.of(step).named(variables, slots).items()}, metrics

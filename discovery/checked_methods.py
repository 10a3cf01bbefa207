"""Keras' own methods that take arrays, made to check them before anything is computed."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from types import GeneratorType
from typing import Any

import keras
import tensorflow as tf

from discovery.errors import UserError

#: Examples that are checked at once: what is checked is converted, which must not double a data set's memory.
_AT_ONCE = 1024


def checks_arrays(method: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a Keras method (`fit`, `predict`, ...) call the model's `checked_batch` on what it is given.

    Arrays and what generators yield are checked whole; of a `tf.data.Dataset` or a `keras.utils.PyDataset`
    the first batch is, as the rest would have to be computed.
    """
    signature = inspect.signature(method)

    @functools.wraps(method)
    def checked(self, *args, **kwargs):
        bound = signature.bind(self, *args, **kwargs)
        given = bound.arguments
        given["x"] = _checked(self, given.get("x"), given.get("y"))
        if isinstance(given.get("validation_data"), tuple | list):
            _checked(self, *given["validation_data"][:2])
        elif "validation_data" in given:
            given["validation_data"] = _checked(self, given["validation_data"])
        return method(*bound.args, **bound.kwargs)

    return checked


def _checked(model, x, y=None):
    """Checks examples; returns x, or a generator that checks what it yields."""
    if isinstance(x, GeneratorType):
        return _each_checked(model, x)
    if isinstance(x, tf.data.Dataset):
        for first in x.take(1):
            _check(model, *_unpacked(first))
    elif isinstance(x, keras.utils.PyDataset):
        _check(model, *_unpacked(x[0]))
    else:
        arrays = tf.nest.flatten((x, y))
        nested = isinstance(x, tuple | list | dict)
        if x is None or (nested and not all(map(_may_be_array, tf.nest.flatten(x)))):
            found = "nothing" if x is None else f"a {type(x).__name__} of other things"
            raise UserError(f"give arrays, np.asarray(x), or a tf.data.Dataset, not {found}")
        if all(map(_may_be_array, arrays)):  # the rest is left to Keras
            n_examples = _n_examples(arrays)
            for start in range(0, max(n_examples, 1), _AT_ONCE):  # once if there are none
                part = slice(start, start + _AT_ONCE)
                _check(model, *_rows((x, y), part))
    return x


def _may_be_array(value):
    return value is None or hasattr(value, "shape")


def _n_examples(arrays):
    counts = [array.shape[0] for array in arrays if getattr(array, "shape", None)]
    if len(set(counts)) > 1:
        raise UserError(f"arrays of {' and '.join(map(str, counts))} examples: give as many of each")
    return counts[0] if counts else 0


def _rows(arrays, part):
    return tf.nest.map_structure(lambda array: None if array is None else array[part], arrays)


def _each_checked(model, generator) -> Iterator[Any]:
    for data in generator:
        _check(model, *_unpacked(data))
        yield data


def _check(model, inputs, labels):
    model.checked_batch(inputs if isinstance(inputs, dict) else model.batch_of(inputs, labels))


def _unpacked(data):
    return keras.utils.unpack_x_y_sample_weight(data)[:2]

"""Configurations of layers and models that consist of other layers."""

from __future__ import annotations

import inspect
from typing import Any

import keras


def arguments_of(layer: keras.layers.Layer, cls: type) -> dict[str, Any]:
    """Returns the arguments of `cls.__init__`, read from attributes of the same names; serializes layers."""
    names = [
        name
        for name, parameter in inspect.signature(cls.__init__).parameters.items()
        if name != "self" and parameter.kind is not parameter.VAR_KEYWORD
    ]
    return {name: _serialized(getattr(layer, name)) for name in names}


def rebuilt_arguments(config: dict[str, Any]) -> dict[str, Any]:
    """Undoes the serialization of layers in `arguments_of`."""
    return {
        name: keras.saving.deserialize_keras_object(value) if _is_layer(name, value) else value
        for name, value in config.items()
    }


def _serialized(value):
    if not isinstance(value, keras.layers.Layer):
        return value
    config = keras.saving.serialize_keras_object(value)
    # the outer layer builds its sublayers; built earlier, their weights' paths would lack its name
    config.pop("build_config", None)
    return config


def _is_layer(name, value):
    return name != "dtype" and isinstance(value, dict) and "registered_name" in value

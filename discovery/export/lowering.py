"""Turns a TensorFlow function into a program that JAX runs, by way of its HLO before any optimization.

That HLO is portable. `jax2tf.call_tf` would ask TensorFlow to lower for each platform by itself,
which its packages cannot do for TPUs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import tensorflow as tf
from jax import export
from jax.extend.core import Primitive
from jax.extend.mlir import hlo_to_stablehlo
from jax.interpreters import mlir
from jaxlib.mlir.dialects import func

_primitive = Primitive("tensorflow_program")
_primitive.multiple_results = True


def exported_program(
    function: Callable[..., list[tf.Tensor]], arguments: Sequence[tf.TensorSpec], platforms: Sequence[str]
) -> bytes:
    """Traces a function and exports it for other machines.

    Args:
        function: a pure function from tensors to a list of tensors, which XLA can compile.
        arguments: what it takes.
        platforms: any of cpu, cuda and tpu.

    Returns:
        what `jax.export.deserialize` reads.

    Raises:
        ValueError: a part of it exists on one platform only.
    """
    jax.config.update("jax_platforms", "cpu")  # nothing is run: an accelerator need not be claimed
    traced = tf.function(function, autograph=False, jit_compile=True, input_signature=list(arguments))
    concrete = traced.get_concrete_function()
    captured = [tensor.numpy() for tensor in concrete.captured_inputs]
    hlo = traced.experimental_get_compiler_ir(*arguments)(stage="hlo_serialized", platform_name="CPU")
    results = tuple((tuple(t.shape), t.dtype.as_numpy_dtype) for t in concrete.outputs)
    stablehlo = bytes(hlo_to_stablehlo(hlo))

    def call(*values):
        return _primitive.bind(*values, *captured, stablehlo=stablehlo, results=results)

    shapes = [jax.ShapeDtypeStruct(spec.shape, spec.dtype.as_numpy_dtype) for spec in arguments]
    return bytes(export.export(jax.jit(call), platforms=list(platforms))(*shapes).serialize())


@_primitive.def_abstract_eval
def _results(*_, results: Sequence[tuple[tuple[int, ...], Any]], **__):
    return [jax.core.ShapedArray(shape, np.dtype(dtype)) for shape, dtype in results]


def _inline(context, *values, stablehlo, **_):
    """Puts the program into the module that is being built."""
    module = mlir.ir.Module.parse(stablehlo)
    results = mlir.ir.SymbolTable(module.operation)["main"].type.results
    into = context.module_context
    name = mlir.merge_mlir_modules(into.module, "program", module, dst_symtab=into.symbol_table)
    return func.CallOp(results, mlir.ir.FlatSymbolRefAttr.get(name), values).results


mlir.register_lowering(_primitive, _inline)

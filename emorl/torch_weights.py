"""Weights of the authors' PyTorch models, arranged as in the Keras models here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

_ENCODER = {
    "pos_embed_projection": "encoder/position_projection",
    **{f"encoder_pt_1.{2 * i}": f"encoder/conv_{i}" for i in range(4)},
    "encoder_pt_2.0": "encoder/norm",
    "encoder_pt_2.1": "encoder/dense_0",
    "encoder_pt_2.3": "encoder/dense_1",
}
_DECODER = {
    "image_decoder.pos_embed_projection": "decoder/position_projection",
    **{f"image_decoder.decode.{2 * i}": f"decoder/conv_{i}" for i in range(6)},
}
_INFERENCE = {
    "init_posterior": "initial_posterior",
    "norm_slots": "norm_slots",
    "norm_mu_pre_ff": "norm_mean",
    "norm_softplus_pre_ff": "norm_variance",
    "to_q": "to_q",
    "to_k": "to_k",
    "to_v": "to_v",
    "project_update": "project_update",
    "gru": "gru",
    "mlp_mu.0": "mlp_mean_0",
    "mlp_mu.2": "mlp_mean_1",
    "mlp_softplus.0": "mlp_variance_0",
    "mlp_softplus.2": "mlp_variance_1",
}
_EFFICIENT_MORL = {
    "geco_C_ema": "geco_C_ema",
    "geco_beta": "geco_beta",
    **{f"hvae_networks.{theirs}": ours for theirs, ours in (_ENCODER | _DECODER).items()},
    **{f"hvae_networks.{theirs}": f"slot_inference/{ours}" for theirs, ours in _INFERENCE.items()},
    "hvae_networks.indep_prior.z_linear.0": "prior/hidden",
    "hvae_networks.indep_prior.z_mu": "prior/mean",
    "hvae_networks.indep_prior.z_softplus": "prior/variance",
    "refinenet.recurrence": "refinement/gru",
    "refinenet.encoding.0": "refinement/encoding_0",
    "refinenet.encoding.2": "refinement/encoding_1",
    "refinenet.loc": "refinement/mean",
    "refinenet.softplus": "refinement/variance",
}
_SLOT_ATTENTION = {
    **_ENCODER,
    **_DECODER,
    "init_slots": "initial_slots",
    "norm_slots": "norm_slots",
    "norm_pre_ff": "norm_mlp",
    "to_q": "to_q",
    "to_k": "to_k",
    "to_v": "to_v",
    "gru": "gru",
    "mlp.0": "mlp_0",
    "mlp.2": "mlp_1",
}
_DUAL_GRU = "gru.cell"
_CELL_NUMBERS = {"mean_gru": 1, "variance_gru": 2}
_UNUSED = ("generation_relation", "gru.cell.zeros")
_GRU_WEIGHTS = {
    "weight_ih_l0": "kernel",
    "weight_hh_l0": "recurrent_kernel",
    "bias_ih_l0": "bias",
    "bias_hh_l0": "recurrent_bias",
}


def keras_weights(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Renames and rearranges a PyTorch model's weights.

    Args:
        state: the state dict of an EfficientMORL or a SlotAttention, under its newest names.

    Returns:
        The same numbers by the paths of the Keras variables, without the model's own name.

    Raises:
        KeyError: for a name that neither model has.
    """
    modules = _EFFICIENT_MORL if "geco_beta" in state else _SLOT_ATTENTION
    weights = {}
    for name, value in state.items():
        module, _, weight = name.rpartition(".")
        if name in modules:
            weights[modules[name]] = np.asarray(value)
        elif not module.endswith(_DUAL_GRU):
            weights[f"{modules[module]}/{_weight_name(modules[module], weight)}"] = _transposed(value)
    cell = {name.rpartition(".")[2]: value for name, value in state.items() if f"{_DUAL_GRU}." in name}
    if cell:
        weights |= {f"slot_inference/dual_gru/{path}": w for path, w in dual_gru_weights(cell).items()}
    return weights


def torch_shapes(shapes: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """Returns what a PyTorch model's state dict holds: the inverse of `keras_weights`, for names and shapes.

    Args:
        shapes: path of each Keras variable, without the model's own name, -> shape.
    """
    modules = _EFFICIENT_MORL if "geco_beta" in shapes else _SLOT_ATTENTION
    theirs = {ours: name for name, ours in modules.items()}
    found = {}
    for path, shape in shapes.items():
        module, _, weight = path.rpartition("/")
        gru = module.rpartition("/")[2]
        if gru in _CELL_NUMBERS:
            cell = _cell_shapes(_CELL_NUMBERS[gru], weight, shape)
            found |= {f"hvae_networks.{_DUAL_GRU}.{name}": size for name, size in cell.items()}
        elif path in theirs:
            found[theirs[path]] = list(shape)
        else:
            name, size = _torch_weight(module, weight, shape)
            found[f"{theirs[module]}.{name}"] = size
    return found


def newest_names(names: Iterable[str]) -> dict[str, str]:
    """Maps the names of a state dict to the newest ones, those of `keras_weights`.

    Files may have the prefix `module.` of data-parallel training. In older ones, the inference network's
    parts are in `object_discovery_block` or at the top, not in `hvae_networks`, and there are arrays that no
    model uses; these are left out.
    """
    found = {}
    bare = {name: name.removeprefix("module.") for name in names}
    is_emorl = "geco_beta" in bare.values()
    for name, newest in bare.items():
        if any(part in newest for part in _UNUSED):
            continue
        if is_emorl and not newest.startswith(("hvae_networks.", "refinenet.", "geco_")):
            newest = f"hvae_networks.{newest.removeprefix('object_discovery_block.')}"
        found[name] = newest
    return found


def dual_gru_weights(cell: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rearranges a DualGRU's twelve tensors into those of two GRUs with gates reset, update, new."""
    h = cell["weight_in_1"].shape[0]
    weights = {}
    for i, gru in enumerate(("mean_gru", "variance_gru")):
        gates, new = slice(2 * h * i, 2 * h * (i + 1)), slice(h * i, h * (i + 1))
        for side, prefix in (("i", ""), ("h", "recurrent_")):
            kernels = [cell[f"weight_{side}h_{i + 1}"], cell[f"weight_{side}n_{i + 1}"]]
            biases = [cell[f"bias_{side}h"][gates], cell[f"bias_{side}n"][new]]
            weights[f"{gru}/{prefix}kernel"] = np.concatenate(kernels).T  # [in, 3h]
            weights[f"{gru}/{prefix}bias"] = np.concatenate(biases)  # [3h]
    return weights


def _weight_name(module, weight):
    if weight in _GRU_WEIGHTS:
        return _GRU_WEIGHTS[weight]
    is_norm = module.rpartition("/")[2].startswith("norm")
    return {"weight": "gamma" if is_norm else "kernel", "bias": "beta" if is_norm else "bias"}[weight]


def _transposed(value):
    """Convolutions, transposed or not, and dense kernels: PyTorch's out and in swapped, and moved last."""
    value = np.asarray(value)
    return value.transpose({1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}[value.ndim])


def _torch_weight(module, weight, shape):
    """Returns the name (without the module's) and shape of a weight of a convolution, dense, norm or GRU."""
    if module.endswith("gru"):
        name = {ours: theirs for theirs, ours in _GRU_WEIGHTS.items()}[weight]
    else:
        name = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}[weight]
    order = {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}[len(shape)]
    return name, [shape[axis] for axis in order]


def _cell_shapes(i, weight, shape):
    """Returns names and shapes of the tensors that a weight of GRU number i is part of."""
    h, side = shape[-1] // 3, "h" if weight.startswith("recurrent") else "i"
    if weight.endswith("bias"):  # of both GRUs
        return {f"bias_{side}h": [4 * h], f"bias_{side}n": [2 * h]}
    return {f"weight_{side}h_{i}": [2 * h, shape[0]], f"weight_{side}n_{i}": [h, shape[0]]}

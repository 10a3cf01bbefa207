"""What the authors' files hold, with the golden arrays' rule-made weights, and under older names."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.parity.golden_arrays import Golden

STEP = 7
_OLDER = ("pos_embed_projection", "encoder_pt_", "refinenet.", "geco_")


def content_of(golden: Golden, kl_beta: float = 1.0) -> dict[str, Any]:
    """Returns what the authors store after step 7: weights, and Adam's moments that are multiples of them."""
    model = {name: golden.weight(name) for name in golden.meta["variables"]}
    state = {
        number: {
            "step": np.float32(STEP + 1),
            "exp_avg": np.float32(-2.0) * weight,
            "exp_avg_sq": np.float32(3.0) * weight,
        }
        for number, (name, weight) in enumerate(model.items())
        if not name.startswith("geco_")
    }
    groups = [{"lr": 3e-4, "params": list(range(len(model)))}]
    optimizer = {"state": state, "param_groups": groups}
    return {"step": STEP, "model": model, "model_opt": optimizer, "kl_beta": kl_beta}


def older_names(content: dict[str, Any]) -> dict[str, Any]:
    """Returns the same as older programs stored it, with weights that no model uses any longer."""
    model, numbers = {}, {}
    for number, (name, weight) in enumerate(content["model"].items()):
        if name == "hvae_networks.indep_prior.z_linear.0.weight":
            model["object_discovery_block.generation_relation.weight"] = np.ones(2, np.float32)
        numbers[number] = len(model)
        bare = name.removeprefix("hvae_networks.")
        at_top = bare.startswith(_OLDER) or bare == name
        model[bare if at_top else f"object_discovery_block.{bare}"] = weight
        if bare == "gru.cell.bias_hn":
            model["object_discovery_block.gru.cell.zeros"] = np.zeros(2, np.float32)
    # Constants were no parameters, so that the optimizer did not count them.
    trained = [name for name in model if "zeros" not in name]
    places = {list(model).index(name): number for number, name in enumerate(trained)}
    slots = {places[numbers[n]]: slot for n, slot in content["model_opt"]["state"].items()}
    groups = [{"lr": 3e-4, "params": list(range(len(trained)))}]
    return content | {"model": model, "model_opt": {"state": slots, "param_groups": groups}}

"""Models by name: of a configuration, untrained; of a run and of pretrained weights, as trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from discovery.flag_files import options_of, read_config, read_run_flags, replaced
from discovery.pretrained import find_pretrained
from discovery.snapshots import find_snapshot, restore_model
from emorl.efficient_morl import EfficientMORL
from emorl.experiments import EMORLConfig, SlotAttentionConfig, make_efficient_morl, make_slot_attention
from emorl.refinement_curriculum import refinement_curriculum
from emorl.slot_attention import SlotAttention

Model = EfficientMORL | SlotAttention

#: What `--model` says -> options and maker.
KINDS = {
    "EfficientMORL": (EMORLConfig, make_efficient_morl),
    "SlotAttention": (SlotAttentionConfig, make_slot_attention),
}
_CONFIGS = {name: config_class for name, (config_class, _) in KINDS.items()}


def build(name: str, seed: int = 0, **options: Any) -> Model:
    """Builds the model of a configuration, with initial weights.

    Args:
        name: of a file in `configs/`: "tetrominoes", "clevr6", "slot_attention_tetrominoes", ...
        seed: of the initial weights.
        **options: other values for fields of `EMORLConfig` or `SlotAttentionConfig`, `K=7` say.

    Raises:
        UserError: there is no such configuration or option, or it is of the package `stacked_capsules`.
    """
    flags = read_config(name, _CONFIGS)
    config_class, make = KINDS[flags["model"]]
    return make(replaced(options_of(config_class, flags), options), seed=seed)


def load_run(path: str | Path) -> Model:
    """Loads the model of a run; it refines as often as at the end of its training.

    Args:
        path: the run's folder, for its newest snapshot, or the prefix of a snapshot.

    Raises:
        UserError: there is no run or no snapshot, its files are damaged, or it is of `stacked_capsules`.
    """
    snapshot = find_snapshot(path, _CONFIGS)
    flags = read_run_flags(Path(snapshot).parent, _CONFIGS)
    config_class, make = KINDS[flags["model"]]
    model = make(options_of(config_class, flags))
    step = restore_model(snapshot, model)
    if isinstance(model, EfficientMORL) and "refinement_curriculum" in flags:
        iterations_at = refinement_curriculum(flags["refinement_curriculum"].split(","))
        model.config = dataclasses.replace(model.config, refinement_iters=iterations_at(max(0, step - 1)))
    return model


def load_pretrained(name: str) -> Model:
    """Loads a model whose trained weights come with the package.

    Args:
        name: of a folder in `pretrained/`: "slot_attention_tetrominoes".

    Raises:
        UserError: there are no such weights, or they are of the package `stacked_capsules`.
    """
    return load_run(find_pretrained(name, _CONFIGS))

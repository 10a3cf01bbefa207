"""What is published for an experiment, in the units of this project's evaluations."""

from __future__ import annotations

from collections.abc import Mapping

from discovery.experiments import Published, experiments


def published_results(flags: Mapping[str, str]) -> tuple[Published, ...]:
    """Returns what is published for the experiment that the flags describe; often nothing."""
    for kind in experiments().values():
        for experiment, figures in kind.published:
            if all(flags.get(name, "").lower() == value.lower() for name, value in experiment.items()):
                return figures
    return ()


def generates_its_scenes(flags: Mapping[str, str]) -> bool:
    """Says whether an experiment's scenes are generated, so that published figures are for other data."""
    kind = experiments().get(flags.get("model", ""))
    return kind is not None and flags.get("dataset") in kind.generates and not flags.get("data_path")

"""Kinds of models: the options, builder, training recipe, pictures and evaluations of each.

Each package declares its kinds once, in `experiments.py`. Functions are named "module:function" and imported
when they are used, so that a script can list its flags, and a report its commands, without TensorFlow.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from discovery.errors import UserError

if TYPE_CHECKING:
    from discovery.trainable_model import TrainableModel

#: The packages that declare experiments.
_PACKAGES = ("stacked_capsules", "emorl")


class Published(NamedTuple):
    """A published figure.

    Attributes:
        score: which scores of an evaluation it belongs to, the beginning of their path in its JSON.
        title: the same in words.
        value: as text.
        source: where it is published, and what it was measured on.
    """

    score: str
    title: str
    value: str
    source: str

    def belongs_to(self, path: str) -> bool:
        """Returns whether the figure is for the score at this path; none is for the baseline on pixels."""
        named = path == self.score or path.startswith(f"{self.score}.")
        return named and not path.endswith(".pixels")


@dataclass(frozen=True)
class Experiment:
    """A kind of model and what its experiments need.

    Attributes:
        model: its value of `--model`.
        package: the package that defines it.
        config: dataclass of the model's options.
        training: dataclass of its training options.
        maker: (config, seed) -> built model, its initial weights drawn from the seed.
        recipe: (model, options of `training`, global batch size) -> `Optimization`.
        plots: (model, batch) -> pictures by name, uint8 [H, W, 3].
        script: module of `scripts` that trains it.
        evaluations: modules of `scripts` that score it, the usual one first, with their flags.
        imports: names an `OriginalProgram`, whose checkpoints `scripts.convert_checkpoint` reads; None: there
            is none.
        import_name: its value of `--model` there.
        after_restoring: (model, flags of its run, step) -> None, where more than weights is restored.
        generates: data sets that are generated without `--data_path`; these are not the published scenes.
        published: flags of an experiment -> its published figures.
    """

    model: str
    package: str
    config: type
    training: type
    maker: str
    recipe: str
    plots: str
    script: str
    evaluations: tuple[str, ...]
    imports: str | None
    import_name: str | None
    after_restoring: str | None = None
    generates: tuple[str, ...] = ()
    published: tuple[tuple[Mapping[str, str], tuple[Published, ...]], ...] = ()

    def make(self, config: Any, seed: int | None = None) -> TrainableModel:
        """Builds a model.

        Raises:
            UserError: its options do not fit.
        """
        return function(self.maker)(config, *([] if seed is None else [seed]))


def function(name: str) -> Callable[..., Any]:
    """Returns the object that "module:name" names, importing the module."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


@functools.cache
def experiments(package: str | None = None) -> dict[str, Experiment]:
    """Returns the kinds of models, of one package or of all, by their value of `--model`."""
    modules = [importlib.import_module(f"{name}.experiments") for name in _PACKAGES]
    declared = [experiment for module in modules for experiment in module.EXPERIMENTS]
    return {e.model: e for e in declared if package in (None, e.package)}


def experiment(model: str, package: str | None = None) -> Experiment:
    """Returns the kind of model that `--model` names.

    Raises:
        UserError: there is no such model, or the package has none of that name.
    """
    known = experiments(package)
    if model not in known:
        raise UserError(f"--model={model}: there is no such model; choose one of {', '.join(known)}")
    return known[model]


def configs(package: str) -> dict[str, type]:
    """Returns a package's values of `--model` -> the dataclass of the model's options."""
    return {model: declared.config for model, declared in experiments(package).items()}


def who_takes(model: str, function_name: str) -> str:
    """Returns what to add to an error about a model of the other package: which function takes it."""
    known = experiments()
    return f": {known[model].package}.{function_name} takes it" if model in known else ""

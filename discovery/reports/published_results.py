"""What is published for the experiments of `configs/`, in the units of this project's evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Published(NamedTuple):
    """A published figure.

    Attributes:
        score: which scores of an evaluation it belongs to, the beginning of their path in its JSON.
        title: the same in words.
        value: as text.
        source: where it stands, and what it was measured on.
    """

    score: str
    title: str
    value: str
    source: str

    def belongs_to(self, path: str) -> bool:
        """Says whether it is a figure of the score of this path; none is of the baseline on pixels."""
        named = path == self.score or path.startswith(f"{self.score}.")
        return named and not path.endswith(".pixels")


_SCAE = "Kosiorek et al., NeurIPS 2019"
_EMORL = "Emami et al., ICML 2021, five seeds"
_CHECKPOINT = "the authors' checkpoint"
_ACCURACY = ("unsupervised.refit", "unsupervised accuracy")

#: Flags of the experiment, and its figures.
_FIGURES: tuple[tuple[dict[str, str], tuple[Published, ...]], ...] = (
    (
        {"model": "scae", "dataset": "mnist", "use_alpha_channel": "true", "canvas_size": "40"},
        (Published(*_ACCURACY, "0.987", f"{_SCAE}, after 300,000 steps"),),
    ),
    (
        {"model": "scae", "dataset": "svhn"},
        (Published(*_ACCURACY, "0.55", _SCAE),),
    ),
    (
        {"model": "constellation", "which_patterns": "0,1,0"},
        (
            Published(
                *("segmentation_accuracy", "segmentation accuracy", "0.605, 0.605, 0.83"),
                "the original program, three seeds; the paper has no figure",
            ),
        ),
    ),
    (
        {"model": "EfficientMORL", "dataset": "tetrominoes"},
        (
            Published("ARI", "ARI", "0.982 ± 0.018", _EMORL),
            Published("ARI", "ARI", "0.997", _CHECKPOINT),
            Published("MSE", "MSE", "2.76e-4", _CHECKPOINT),
            Published("KL", "KL", "70.7", _CHECKPOINT),
        ),
    ),
    (
        {"model": "EfficientMORL", "dataset": "multi_dsprites"},
        (Published("ARI", "ARI", "0.912 ± 0.004", _EMORL),),
    ),
    (
        {"model": "EfficientMORL", "dataset": "clevr6"},
        (
            Published("ARI", "ARI", "0.962 ± 0.016", _EMORL),
            Published("ARI", "ARI", "0.9805", _CHECKPOINT),
            Published("MSE", "MSE", "3.64e-4", _CHECKPOINT),
            Published("KL", "KL", "187.1", _CHECKPOINT),
        ),
    ),
)

#: Value of --model -> the module that trains it, and what evaluates it.
_SCRIPTS = {
    "scae": ("scripts.train", ("scripts.eval_mnist",)),
    "constellation": ("scripts.train", ("scripts.eval_constellation",)),
    **dict.fromkeys(
        ("EfficientMORL", "SlotAttention"),
        ("scripts.train_emorl", ("scripts.eval_emorl", "scripts.eval_emorl --eval_type=sample_viz")),
    ),
}


def published_results(flags: Mapping[str, str]) -> tuple[Published, ...]:
    """Returns what is published for the experiment that the flags describe; often nothing."""
    for experiment, figures in _FIGURES:
        if all(flags.get(name, "").lower() == value.lower() for name, value in experiment.items()):
            return figures
    return ()


def scripts_of(model: str) -> tuple[str, tuple[str, ...]] | None:
    """Returns the module that trains a model, and the modules that evaluate it; None for an unknown one."""
    return _SCRIPTS.get(model)

"""This package's experiments: everything that belongs to each kind of model."""

from dataclasses import replace

from discovery.experiments import Experiment, Published
from stacked_capsules.configuration import ConstellationConfig, SCAEConfig
from stacked_capsules.learning_options import SCAETraining

_SCAE = "Kosiorek et al., NeurIPS 2019"
_ACCURACY = ("unsupervised.refit", "unsupervised accuracy")

IMAGES = Experiment(
    model="scae",
    package="stacked_capsules",
    config=SCAEConfig,
    training=SCAETraining,
    maker="stacked_capsules.seeded_models:make_scae",
    recipe="stacked_capsules.recipe:recipe",
    plots="stacked_capsules.plots:image_plots",
    script="train",
    evaluations=("eval_mnist",),
    imports="stacked_capsules.tf1_checkpoint:IMAGE_PROGRAM",
    import_name="scae",
    published=(
        (
            {"model": "scae", "dataset": "mnist", "use_alpha_channel": "true", "canvas_size": "40"},
            (Published(*_ACCURACY, "0.987", f"{_SCAE}, after 300,000 steps"),),
        ),
        ({"model": "scae", "dataset": "svhn"}, (Published(*_ACCURACY, "0.55", _SCAE),)),
    ),
)

CONSTELLATIONS = replace(
    IMAGES,
    model="constellation",
    config=ConstellationConfig,
    maker="stacked_capsules.seeded_models:make_constellation",
    plots="stacked_capsules.plots:constellation_plots",
    evaluations=("eval_constellation",),
    imports="stacked_capsules.tf1_checkpoint:CONSTELLATION_PROGRAM",
    import_name="constellation",
    published=(
        (
            {"model": "constellation", "which_patterns": "0,1,0"},
            (
                Published(
                    "segmentation_accuracy",
                    "segmentation accuracy",
                    "0.605, 0.605, 0.83",
                    "the original program, three seeds; the paper has no figure",
                ),
            ),
        ),
    ),
)

EXPERIMENTS = (IMAGES, CONSTELLATIONS)

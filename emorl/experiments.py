"""This package's experiments: everything that belongs to each kind of model."""

from dataclasses import replace

from discovery.experiments import Experiment, Published
from emorl.configuration import EMORLConfig, SlotAttentionConfig, VAEConfig
from emorl.data.config import GENERATED
from emorl.learning_options import EMORLTraining

_EMORL = "Emami et al., ICML 2021, five seeds"
_CHECKPOINT = "the authors' checkpoint"
_SLOT_ATTENTION = "Locatello et al., NeurIPS 2020, five seeds"
_EVALUATIONS = ("eval_emorl", "eval_emorl --eval_type=sample_viz")

EFFICIENT_MORL = Experiment(
    model="EfficientMORL",
    package="emorl",
    config=EMORLConfig,
    training=EMORLTraining,
    maker="emorl.seeded_models:make_efficient_morl",
    recipe="emorl.recipe:recipe",
    plots="emorl.plots:emorl_plots",
    script="train_emorl",
    evaluations=_EVALUATIONS,
    imports="emorl.torch_checkpoint:EFFICIENT_MORL_PROGRAM",
    import_name="emorl",
    generates=tuple(GENERATED),
    after_restoring="emorl.recipe:refine_as_trained",
    published=(
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
    ),
)

SLOT_ATTENTION = replace(
    EFFICIENT_MORL,
    model="SlotAttention",
    config=SlotAttentionConfig,
    maker="emorl.seeded_models:make_slot_attention",
    imports="emorl.torch_checkpoint:SLOT_ATTENTION_PROGRAM",
    import_name="slot_attention",
    after_restoring=None,
    published=(
        (
            {"model": "SlotAttention", "dataset": "tetrominoes"},
            (Published("ARI", "ARI", "0.995 ± 0.002", f"{_SLOT_ATTENTION}, one of them left out"),),
        ),
        (
            {"model": "SlotAttention", "dataset": "multi_dsprites"},
            (Published("ARI", "ARI", "0.913 ± 0.003", _SLOT_ATTENTION),),
        ),
        (
            {"model": "SlotAttention", "dataset": "clevr6"},
            (Published("ARI", "ARI", "0.988 ± 0.003", f"{_SLOT_ATTENTION}, 128x128 pixels"),),
        ),
    ),
)

VAE = replace(
    SLOT_ATTENTION,
    model="VAE",
    config=VAEConfig,
    maker="emorl.seeded_models:make_vae",
    imports=None,
    import_name=None,
    published=(),
)

EXPERIMENTS = (EFFICIENT_MORL, SLOT_ATTENTION, VAE)

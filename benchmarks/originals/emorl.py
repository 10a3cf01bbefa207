"""Calls of the original EfficientMORL; needs torch and sacred."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

#: data set -> its training configuration, batch size, refinements
SETS = {"tetrominoes": ("tetrominoes", 32, 3), "clevr6": ("clevr6-96x96", 2, 1)}


def workload(case: str, checkout: str) -> tuple[Callable[[], None], int]:
    """Returns what is timed, and its batch size."""
    sys.path.insert(0, checkout)
    import torch
    from lib.geco import GECO
    from lib.model import EfficientMORL, net
    from sacred import Experiment

    _, data, kind = case.split("_")
    config, batch_size, refinement_iters = SETS[data]
    options = json.loads((Path(checkout) / "configs" / "train" / config / "EMORL.json").read_text())
    training = options["training"]
    made = []
    experiment = Experiment("benchmark", ingredients=[net], save_git_info=False)

    @experiment.main
    def make():  # the model's options reach it inside a run of sacred's only
        torch.manual_seed(0)
        made.append(EfficientMORL(batch_size=batch_size, use_geco=True))

    experiment.run(config_updates={"Net": options["Net"]}, options={"--loglevel": "ERROR"})
    model = made[0]
    model.refinement_iters = refinement_iters
    channels, height, width = model.input_size
    target = training["geco_reconstruction_target"] * channels * height * width
    geco = GECO(target, training["geco_ema_alpha"])
    images = 2 * torch.rand(batch_size, channels, height, width) - 1  # [B, 3, H, W]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)
    step = model.geco_warm_start + 1  # GECO is at work

    def train():
        optimizer.zero_grad()
        outputs = model(images, geco, step, 1.0)
        outputs["total_loss"].backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=5.0)
        optimizer.step()
        model.geco_C_ema = geco.update_ema(model.geco_C_ema, outputs["nll"])
        model.geco_beta = geco.step_beta(model.geco_C_ema, model.geco_beta, 1e-6)

    def infer():
        model(images, geco, step, 1.0)

    if kind == "infer":
        model.train(False)
    return (train if kind == "train" else infer), batch_size

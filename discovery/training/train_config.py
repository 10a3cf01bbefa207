"""Settings of a training run."""

from __future__ import annotations

from dataclasses import dataclass

from discovery import UserError
from discovery.options import check_options, option


@dataclass(frozen=True)
class TrainConfig:
    """Settings of `discovery.training.loop.train`; names and defaults are SCAE's where it has them.

    Raises:
        UserError: one is out of range.
    """

    max_train_steps: int = option(
        300_000, "Number of training steps, those before a resume included.", topic="Training", least=0
    )
    seed: int = option(0, "Of the noise in training; data and initial weights have their own.", flag=False)
    overwrite: bool = option(
        False, "Clears the run's folder; otherwise an earlier run is resumed.", flag=False
    )

    check_numerics: bool = option(
        False,
        "Stops at the first NaN or infinity, naming the operation; slow.",
        topic="Where and how it runs",
    )
    steps_per_call: int = option(1, "Most steps between returns to Python; results do not change.", least=1)
    jit_compile: bool = option(False, "XLA compiles the step as a whole: for GPUs, one replica.")

    report_loss_steps: int = option(500, "Steps between printed reports; 0: none.", topic="Reports", least=0)
    summary_steps: int = option(500, "Steps between TensorBoard summaries; 0: none.", least=0)
    ema: float = option(0.9, "Weight of the past in the moving averages of reports; 0: none.", least=0)
    run_updates_every: int = option(10, "Steps between updates of these averages.", least=1)
    global_ema_update: bool = option(True, "False: the averages are updated at reports only.")
    plot: bool = option(False, "Writes pictures of intermediate results.")
    plot_steps: int = option(1000, "Steps between pictures.", least=0)
    plot_share: float = option(
        0.01,
        "Pictures are skipped while earlier ones took more than this share of the time; 0: never.",
        least=0,
        most=1,
    )

    snapshot_steps: int = option(0, "Steps between snapshots; 0: none by steps.", topic="Snapshots", least=0)
    snapshot_secs: int = option(
        3600, "Seconds between snapshots; 0: none by time. There is one at the end in any case.", least=0
    )
    snapshots_to_keep: int = option(5, "Latest snapshots that are kept; 0: all.", least=0)

    def __post_init__(self):
        check_options(self)
        if self.ema >= 1:
            raise UserError(f"ema must be below 1, not {self.ema!r}.")

    @property
    def update_steps(self) -> int:
        """Number of steps between updates of the moving averages; 0: none."""
        return self.run_updates_every if self.global_ema_update else self.report_loss_steps

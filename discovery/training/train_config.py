"""Settings of a training run."""

from __future__ import annotations

from dataclasses import dataclass

from discovery import UserError


@dataclass(frozen=True)
class TrainConfig:
    """Settings of `discovery.training.loop.train`; SCAE's flags, with their names and defaults, come first.

    Attributes:
        max_train_steps: number of steps in all, those before a resume included.
        grad_value_clip: bound of every element of the gradients; 0: none.
        grad_norm_clip: bound of their global norm per square root of the number of parameters; 0: none.
        ema: decay of the moving averages that reports show; 0: no smoothing.
        run_updates_every: the moving averages are updated every so many steps.
        global_ema_update: False: they are updated at reports only.
        report_loss_steps: a line of `metrics.jsonl` every so many steps; 0: none.
        summary_steps: TensorBoard scalars every so many steps; 0: none.
        snapshot_steps: a snapshot every so many steps; 0: none.
        snapshot_secs: a snapshot every so many seconds; 0: none. There is one at the end in any case.
        snapshots_to_keep: older ones are deleted; 0: none is.
        plot: draw pictures.
        plot_steps: draw them every so many steps.
        plot_share: pass over pictures while earlier ones took more than this part of the time; 0: none.
        overwrite: delete an earlier run of the same name instead of resuming it.
        check_numerics: stop at the first operation that makes a NaN or an infinity, and name it; slow.
        seed: of the noise in training; data and initial weights have their own.
        steps_per_call: largest number of steps between returns to Python; changes no number.
        jit_compile: XLA compiles the step as a whole (one replica only); faster on GPUs, slower on most CPUs.
    """

    max_train_steps: int = 300_000
    grad_value_clip: float = 0.0
    grad_norm_clip: float = 0.0
    ema: float = 0.9
    run_updates_every: int = 10
    global_ema_update: bool = True
    report_loss_steps: int = 500
    summary_steps: int = 500
    snapshot_steps: int = 0
    snapshot_secs: int = 3600
    snapshots_to_keep: int = 5
    plot: bool = False
    plot_steps: int = 1000
    plot_share: float = 0.01
    overwrite: bool = False
    check_numerics: bool = False
    seed: int = 0
    steps_per_call: int = 1
    jit_compile: bool = False

    def __post_init__(self):
        at_least_zero = (
            "max_train_steps",
            "grad_value_clip",
            "grad_norm_clip",
            "report_loss_steps",
            "plot_steps",
        )
        at_least_zero += ("summary_steps", "snapshot_steps", "snapshot_secs", "snapshots_to_keep")
        for name, least in {
            **dict.fromkeys(at_least_zero, 0),
            "run_updates_every": 1,
            "steps_per_call": 1,
        }.items():
            if getattr(self, name) < least:
                raise UserError(f"--{name}={getattr(self, name)} is out of range: give at least {least}")
        if not 0 <= self.plot_share <= 1:
            raise UserError(f"--plot_share={self.plot_share} is out of range: give a part from 0 to 1")
        if not 0 <= self.ema < 1:
            raise UserError(f"--ema={self.ema} is out of range: give a decay from 0 up to, but not, 1")

    @property
    def update_steps(self) -> int:
        """Number of steps between updates of the moving averages; 0: none."""
        return self.run_updates_every if self.global_ema_update else self.report_loss_steps

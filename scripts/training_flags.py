"""Flags that every training script has: the run's folder, its length, reports, snapshots, replicas."""

from absl import flags

FLAGS = flags.FLAGS


def define() -> None:
    """Defines them; names and defaults are the original's where it has the flag."""
    # The run
    flags.DEFINE_string("name", None, "Name of the run; its folder is --logdir with {name} filled in.")
    flags.mark_flag_as_required("name")
    flags.DEFINE_string("logdir", "checkpoints/{name}", "The run's folder, a template.")
    flags.DEFINE_integer("seed", 0, "Seed of weights, data order and noise.")
    flags.DEFINE_boolean("overwrite", False, "Clears the run's folder; otherwise an earlier run is resumed.")
    flags.DEFINE_integer("max_train_steps", 300_000, "Number of training steps.", lower_bound=0)

    # Where it runs
    flags.DEFINE_enum("strategy", "auto", ["auto", "single", "mirrored"], "How replicas are made.")
    flags.DEFINE_integer(
        "replicas",
        0,
        "Replicas of `mirrored`; 0 takes all GPUs. Without GPUs, that many logical CPU devices.",
        lower_bound=0,
    )
    flags.DEFINE_boolean("deterministic", False, "Asks TensorFlow for bit-wise repeatable operations.")
    flags.DEFINE_boolean("check_numerics", False, "Stops at the first NaN or infinity, naming the operation.")

    # Gradients
    flags.DEFINE_float("grad_value_clip", 0.0, "Clips each gradient element to this magnitude; 0: off.")
    flags.DEFINE_float(
        "grad_norm_clip", 0.0, "Clips the global norm to this times sqrt(number of parameters); 0: off."
    )

    # Reports
    flags.DEFINE_float("ema", 0.9, "Weight of the past in the moving averages of reports; 0: no averaging.")
    flags.DEFINE_integer("run_updates_every", 10, "Steps between updates of those averages.", lower_bound=1)
    flags.DEFINE_boolean("global_ema_update", True, "False: the averages are updated at each report instead.")
    flags.DEFINE_integer("report_loss_steps", 500, "Steps between printed reports.", lower_bound=1)
    flags.DEFINE_integer("summary_steps", 500, "Steps between TensorBoard summaries.", lower_bound=1)
    flags.DEFINE_boolean("plot", False, "Writes pictures of intermediate results.")
    flags.DEFINE_integer("plot_steps", 1000, "Steps between pictures.", lower_bound=1)

    # Snapshots
    flags.DEFINE_integer("snapshot_secs", 3600, "Seconds between snapshots; 0: none by time.", lower_bound=0)
    flags.DEFINE_integer("snapshot_steps", 0, "Steps between snapshots; 0: none by steps.", lower_bound=0)
    flags.DEFINE_integer("snapshots_to_keep", 5, "Latest snapshots that are kept.", lower_bound=1)

"""Scores and pictures of an EfficientMORL, Slot Attention or VAE snapshot, on its data set's test scenes.

    python -m scripts.eval_emorl --snapshot=checkpoints/tetrominoes --json=scores.json
    python -m scripts.eval_emorl --snapshot=checkpoints/tetrominoes --eval_type=make_gifs
    python -m scripts.eval_emorl --snapshot=checkpoints/tetrominoes --variant=occlusion

--eval_type is one of
    ARI_MSE_KL                     segmentation, reconstruction and rate: the scores of the paper's tables;
                                   without masks no segmentation
    sample_viz                     input, reconstruction, slots, masks and attention of every stage
    disentanglement_preprocessing  how far each latent reaches, which the next two need
    disentanglement_viz            each latent of --disentangle_slot moved
    activeness                     how much images change with each latent
    dci                            disentanglement, completeness, informativeness; the data must have factors
    downstream                     how well properties of objects can be predicted from slots; the data must
                                   have masks and factors
    make_gifs                      the ten most active latents of every slot, moving
    clevrtex                       the scores of the CLEVRTEX benchmark

The snapshot is a run's folder, for its newest one, or a prefix such as .../model.ckpt-200000. Flags of the
run are read from its flags.txt; those given here win. --variant=more_objects adds an object to each scene
and, unless --K says otherwise, a slot to the model. Files go to the run's eval/model.ckpt-<step>/.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

from discovery import UserError
from discovery.experiments import experiments
from emorl.data import FACTORS, DataConfig
from emorl.data.config import MORE_OBJECTS
from emorl.one_dnn import prefer_one_dnn

from . import emorl_flags, entry_point, evaluated_run
from .evaluated_run import EvaluatedRun
from .help_text import topic
from .option_flags import define_flag

FLAGS = flags.FLAGS

#: Smallest and largest value of each latent, in the folder of a snapshot's files.
RANGES_FILE = "z_range.txt"

Scores = dict[str, Any]


class Evaluation(NamedTuple):
    """One of the evaluations.

    Attributes:
        run: (what is scored, folder for files, number of images) -> scores for JSON.
        n_images: that number, where `--num_images_to_process` is not given.
        masks: whether it needs masks.
        takes_masks: whether it uses them where there are any.
        factors: whether it needs factors.
        ranges: whether it writes or reads latents' ranges, whose folder is the same for any number of images.
    """

    run: Callable[[EvaluatedRun, Path, int], Scores]
    n_images: int = 320
    masks: bool = False
    takes_masks: bool = False
    factors: bool = False
    ranges: bool = False


def main(_) -> None:
    """Runs one evaluation, prints its results, writes its files and JSON."""
    from emorl.recipe import refine_as_trained

    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    evaluation = EVALUATIONS[FLAGS.eval_type]
    iterations_given = FLAGS["refinement_iters"].present
    one_more = FLAGS.variant == MORE_OBJECTS and not FLAGS["K"].present
    run = evaluated_run.open_run(
        tuple(experiments(emorl_flags.PACKAGE)),
        lambda: _make_model(one_more),
        lambda: _load_data(evaluation),
    )
    if one_more:
        print(f"note: for the additional object there is an additional slot, --K={FLAGS.K}")
        run = run._replace(changed=run.changed | {"K": str(FLAGS.K)})
    if FLAGS.model == "EfficientMORL" and FLAGS.refinement_curriculum and not iterations_given:
        curriculum = {"refinement_curriculum": ",".join(FLAGS.refinement_curriculum)}
        refine_as_trained(run.model, curriculum, run.step)
    shared = ("num_images_to_process",) if evaluation.ranges else ()
    changed = {name: value for name, value in run.changed.items() if name not in shared}
    folder = run.results / "eval" / f"{Path(run.snapshot).name}{evaluated_run.mark(changed)}"
    print(f"{run.snapshot} on {FLAGS.dataset}: {FLAGS.eval_type}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scores = evaluation.run(run, folder, FLAGS.num_images_to_process or evaluation.n_images)
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror or error}") from None
    about = {"eval_type": FLAGS.eval_type, "model": FLAGS.model}
    if FLAGS.model == "EfficientMORL":
        about["refinement_iters"] = run.model.config.refinement_iters
    for path in evaluated_run.write_scores(run, f"eval_emorl_{FLAGS.eval_type}", about | scores):
        print(f"scores: {path}")


def _make_model(one_more):
    emorl_flags.data_config().completed()  # a wrong --variant is told before a model is made
    FLAGS.K += one_more
    return emorl_flags.make_model()


def _load_data(evaluation):
    from emorl.data import has_masks

    masks = evaluation.masks or (evaluation.takes_masks and has_masks(emorl_flags.data_config()))
    return emorl_flags.load_data(masks=masks, factors=evaluation.factors)


def _ari_mse_kl(run, folder, n_images):
    from emorl.evaluation.ari_mse_kl import ari_mse_kl

    scores = ari_mse_kl(run.model, run.data, n_images, FLAGS.seed)
    for name, text in scores.text_files().items():
        (folder / name).write_text(text)
    summary = scores.summary()
    for name, score in summary.items():
        print(f"  {name:<8}" + (f"{score['mean']:.6g} +- {score['std']:.3g}" if score else "none"))
    return {"num_images": len(scores.mse), **summary}


def _clevrtex(run, folder, n_images):
    import numpy as np

    from emorl.evaluation.clevrtex_benchmark import evaluate_clevrtex

    del folder
    scores = evaluate_clevrtex(run.model, run.data, n_images, FLAGS.seed)
    summary = {}
    for name, values in scores.items():
        defined = values[~np.isnan(values)]
        summary[name] = {"mean": float(defined.mean()), "std": float(defined.std())} if len(defined) else None
        print(f"  {name:<8}" + (f"{defined.mean():.6g} +- {defined.std():.3g}" if len(defined) else "none"))
    return {"num_images": len(scores["MSE"]), **summary}


def _sample_viz(run, folder, n_images):
    import numpy as np
    from PIL import Image

    from emorl.evaluation.sample_viz import samples
    from emorl.plots import stages_picture

    found = []
    for i, sample in enumerate(samples(run.model, run.data, n_images, FLAGS.seed)):
        np.savez_compressed(folder / f"rinfo_{i}.npz", **sample.arrays())
        picture = folder / f"rinfo_{i}.png"
        Image.fromarray(stages_picture(sample.image, sample.views, sample.names)).save(picture)
        found.append(str(picture))
    print(f"  {len(found)} pictures, from {found[0]} on; their arrays are in the .npz beside each")
    return {"num_images": len(found), "pictures": found}


def _preprocessing(run, folder, n_images):
    from emorl.evaluation import latents

    found = _found(run, min(n_images, latents.N_SCENES))
    return {"num_images": len(found.slots), "z_range": _write_ranges(found, folder).tolist()}


def _disentanglement_viz(run, folder, n_images):
    import numpy as np
    from PIL import Image

    from emorl.evaluation import latents
    from emorl.metrics.disentanglement import read_ranges
    from emorl.plots import traversal_picture

    slot = FLAGS.disentangle_slot
    ranges = read_ranges(folder / RANGES_FILE, run.model.config.z_size)
    pictures = []
    moved = latents.traversals(latents.SlotMover(run.model), _found(run, n_images), slot, ranges)
    for i, traversal in enumerate(moved):
        path = folder / f"slot_{slot}_image_{i}_traversal.png"
        Image.fromarray(traversal_picture(traversal, slot)).save(path)
        np.savez_compressed(path.with_suffix(".npz"), **traversal._asdict())
        pictures.append(str(path))
    print("\n".join(f"  {path}" for path in pictures))
    return {"slot": slot, "pictures": pictures}


def _activeness(run, folder, n_images):
    from emorl.evaluation import latents
    from emorl.metrics.disentanglement import read_ranges

    ranges = read_ranges(folder / RANGES_FILE, run.model.config.z_size)
    found = _found(run, min(n_images, latents.N_SCENES))
    return _write_activeness(latents.SlotMover(run.model), found, ranges, folder)


def _dci(run, folder, n_images):
    from emorl.evaluation.dci_of_slots import dci_of_objects, matched_objects

    factors = _known_factors("dci")
    objects = matched_objects(run.model, run.data, n_images, FLAGS.seed)
    kinds = [factor.kind for factor in factors]
    scores = dci_of_objects(objects, kinds, FLAGS.dci_compat, FLAGS.seed)
    named = {
        "informativeness_train": scores.informativeness_train,
        "informativeness_test": scores.informativeness_test,
        "disentanglement": scores.disentanglement,
        "completeness": scores.completeness,
    }
    (folder / "dci.txt").write_text(f"{named}\n")
    for name, score in named.items():
        print(f"  {name:<22}{score:.4f}")
    per_factor = scores.informativeness_per_factor.tolist()
    return {
        "num_images": objects.n_images,
        "num_objects": len(objects.codes),
        "compat": FLAGS.dci_compat,
        **named,
        "informativeness_per_factor": {f.name: s for f, s in zip(factors, per_factor, strict=True)},
    }


def _downstream(run, folder, n_images):
    from emorl.evaluation.downstream import downstream

    del folder
    factors = _known_factors("downstream")
    found = downstream(
        run.model,
        run.data,
        [factor.kind for factor in factors],
        FLAGS.downstream_train_images,
        n_images,
        FLAGS.seed,
        FLAGS.downstream_steps,
    )
    predictors, other_scenes = (
        {"_".join(key): scores for key, scores in of_each.items()}
        for of_each in (found.predictors, found.other_scenes)
    )
    told = predictors | {"baseline": found.baseline}
    told |= {f"other_scenes.{name}": scores for name, scores in other_scenes.items()}
    names = [factor.name for factor in factors] + [
        f"mean {kind}" for kind in _by_kind(factors, found.baseline)
    ]
    print(f"  {'':<25}{''.join(f'{name:>15}' for name in names)}")
    for name, scores in told.items():
        means = (of_kind["mean"] for of_kind in _by_kind(factors, scores).values())
        cells = (
            "none" if score is None or math.isnan(score) else f"{score:.4f}" for score in (*scores, *means)
        )
        print(f"  {name:<25}{''.join(f'{cell:>15}' for cell in cells)}")
    return {
        "num_images": found.n_images,
        "num_objects": found.n_objects,
        **{name: _by_kind(factors, scores) for name, scores in predictors.items()},
        "baseline": _by_kind(factors, found.baseline),
        "other_scenes": {name: _by_kind(factors, scores) for name, scores in other_scenes.items()},
    }


def _by_kind(factors, scores):
    """R^2 of continuous properties and accuracy of discrete ones, and the mean of either; None: undefined."""
    by_kind = {}
    for metric, kind in (("R2", "continuous"), ("accuracy", "discrete")):
        of_kind = {
            f.name: None if math.isnan(s) else float(s)
            for f, s in zip(factors, scores, strict=True)
            if f.kind == kind
        }
        if of_kind:
            defined = [score for score in of_kind.values() if score is not None]
            by_kind[metric] = {"mean": sum(defined) / len(defined) if defined else None} | of_kind
    return by_kind


def _known_factors(eval_type):
    """The factors of the data set, without visibility."""
    if FLAGS.dataset not in FACTORS:
        known = ", ".join(FACTORS)
        raise UserError(
            f"--dataset={FLAGS.dataset}: the meaning of its factors is not known; {eval_type} scores only "
            f"{known}"
        )
    *factors, visibility = FACTORS[FLAGS.dataset]
    assert visibility.name == "visibility"
    return factors


def _make_gifs(run, folder, n_images):
    from emorl.evaluation import gifs, latents

    found, move = _found(run, max(n_images, latents.N_SCENES)), latents.SlotMover(run.model)
    measured, shown = (
        latents.FoundSlots(*(field[:n] for field in found)) for n in (latents.N_SCENES, n_images)
    )
    ranges = _write_ranges(measured, folder)
    scores = _write_activeness(move, measured, ranges, folder)
    written = []
    for slot in range(run.model.config.K):
        for i, traversal in enumerate(latents.traversals(move, shown, slot, ranges)):
            for row, latent in enumerate(scores["most_active"]):
                path = folder / f"image_{i}" / f"slot_{slot}_row_{row}.gif"
                path.parent.mkdir(exist_ok=True)
                gifs.write_gif(path, traversal.pictures[latent])
                written.append(str(path))
    print(f"  {len(written)} GIFs, from {written[0]} on")
    return {**scores, "gifs": written}


def _found(run, n_images):
    from emorl.evaluation import latents

    return latents.find_slots(run.model, run.data, n_images, FLAGS.seed)


def _write_ranges(found, folder):
    from emorl.metrics.disentanglement import latent_ranges, write_ranges

    ranges = latent_ranges(found.slots)
    write_ranges(folder / RANGES_FILE, ranges)
    print(f"  ranges of {len(ranges)} latents: {folder / RANGES_FILE}")
    return ranges


def _write_activeness(move, found, ranges, folder):
    import numpy as np

    from emorl.evaluation import gifs, latents

    values = latents.activeness(move, found.slots, ranges, FLAGS.seed)
    np.save(folder / "activeness.npy", values)
    order = gifs.most_active(values).tolist()
    print(f"  most active latents: {', '.join(map(str, order))}")
    return {
        "num_images": len(values),
        "activeness": values.mean(axis=0, dtype=np.float64).tolist(),
        "most_active": order,
    }


EVALUATIONS = {
    "ARI_MSE_KL": Evaluation(_ari_mse_kl, takes_masks=True),
    "sample_viz": Evaluation(_sample_viz, n_images=10, takes_masks=True),
    "disentanglement_preprocessing": Evaluation(_preprocessing, ranges=True),
    "disentanglement_viz": Evaluation(_disentanglement_viz, n_images=1, ranges=True),
    "activeness": Evaluation(_activeness, ranges=True),
    "dci": Evaluation(_dci, masks=True, factors=True),
    "downstream": Evaluation(_downstream, masks=True, factors=True),
    "make_gifs": Evaluation(_make_gifs, n_images=1, ranges=True),
    "clevrtex": Evaluation(_clevrtex, masks=True),
}

prefer_one_dnn()
evaluated_run.define_flags()
emorl_flags.define()
topic("Evaluation")
flags.DEFINE_list("refinement_curriculum", None, "The run's; the refinements of its last step are evaluated.")
flags.DEFINE_enum("eval_type", "ARI_MSE_KL", list(EVALUATIONS), "Which evaluation.")
flags.DEFINE_integer(
    "num_images_to_process",
    None,
    "Most images; by default 320, for sample_viz 10, for traversals and GIFs 1. Latent ranges and activeness "
    "take at most 100.",
    lower_bound=1,
)
define_flag(DataConfig, "variant")
flags.DEFINE_integer("disentangle_slot", 0, "Which slot disentanglement_viz moves.", lower_bound=0)
flags.DEFINE_integer(
    "downstream_train_images",
    2000,
    "Most training scenes that downstream's predictors learn from; it scores --num_images_to_process others.",
    lower_bound=2,
)
flags.DEFINE_integer("downstream_steps", 6000, "Most steps of a predictor of downstream.", lower_bound=1)
flags.DEFINE_boolean("dci_compat", False, "DCI as the original computes it.")


if __name__ == "__main__":
    entry_point.run(main, check=evaluated_run.check)

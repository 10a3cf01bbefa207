"""Pretrained weights: those of the repository give the scores that are told; how others are made."""

import dataclasses
import json
import shutil
import typing

import numpy as np
import pytest
from absl import flags
from PIL import Image

import emorl
import emorl.data
import stacked_capsules
import stacked_capsules.data
from discovery import UserError, pretrained
from discovery.flag_files import FLAGS_FILE, options_of, read_flag_file
from discovery.models_by_name import load_pretrained, load_run, package_of_run
from discovery.pretrained import neutral_flags, score_at
from discovery.snapshots import find_snapshot, read_snapshot
from emorl.evaluation.ari_mse_kl import ari_mse_kl
from stacked_capsules.data.config import read_patterns
from stacked_capsules.evaluation.clustering import fit_cluster_classifier
from stacked_capsules.evaluation.collect import collect, compiled_inference
from stacked_capsules.evaluation.constellation_evaluation import evaluate_constellations
from stacked_capsules.evaluation.image_evaluation import FEATURES, evaluate_images, presences_and_classes
from tests.samples import sample
from tests.scripts.tiny_runs import contents
from tests.written_runs import write_run

MAKE = "scripts.make_pretrained"

#: How much worse than told a score may be.
TOLERANCE = 0.01

#: Data sets that are read from files -> the sample that holds them.
STORED = {"mnist": "data/mnist.npz"}


def data_config(config_class, run_flags, **values):
    """The options of data that a run's flags tell; `values` go before them."""
    types = typing.get_type_hints(config_class)
    plain = {name: text for name, text in run_flags.items() if types.get(name) in (bool, int, float, str)}
    return dataclasses.replace(options_of(config_class, plain), **values)


def scores_anew(model, run_flags, told):
    """What the evaluation scripts score, of the same examples, with the same seed."""
    seed = told["seed"]
    if isinstance(model, emorl.named_models.Model):
        config = data_config(emorl.data.DataConfig, run_flags, masks=True)
        return ari_mse_kl(model, emorl.data.load(config), told["num_images"], seed).summary()
    stored = STORED.get(run_flags["dataset"])
    values = {
        "which_patterns": read_patterns(run_flags["which_patterns"]),
        "n_train": int(run_flags["n_train"]) if "n_train" in run_flags else None,
        "data_dir": str(sample(stored).parent) if stored else None,
    }
    source = stacked_capsules.data.load(data_config(stacked_capsules.data.DataConfig, run_flags, **values))
    if run_flags["model"] == "constellation":
        return evaluate_constellations(model, source.whole("valid"), told["n_examples"], seed)
    n_classes = int(run_flags["n_classes"])
    if not stored:
        return evaluate_images(model, source, n_classes, seed).scores
    infer = compiled_inference(model, presences_and_classes, seed)
    valid = collect(infer, source.whole("valid"))
    refit = {f: fit_cluster_classifier(valid[f], valid["label"], n_classes, seed).accuracy for f in FEATURES}
    return {"unsupervised": {"refit": {feature: {"valid": accuracy} for feature, accuracy in refit.items()}}}


@pytest.mark.slow
@pytest.mark.parametrize("name", pretrained.pretrained_names())
def test_weights_give_the_score_that_they_are_told_to(name):
    folder = pretrained.PRETRAINED / name
    about = json.loads((folder / pretrained.SCORES_FILE).read_text())
    assert about["name"] == name
    score = about["score"]
    told = about["scores"][score["evaluation"]]
    assert score_at(told, score["name"]) == score["value"]
    model = load_pretrained(package_of_run(folder), name)
    measured = score["name"]
    if about["data"] in STORED:  # clusters of the test images alone, which needs no 60,000 others
        measured = measured.replace("transfer", "refit")
    anew = score_at(scores_anew(model, read_flag_file(folder / FLAGS_FILE), told), measured)
    print(f"{name}: {measured} {anew:.4f}, told {score_at(told, measured):.4f}")
    assert anew >= score_at(told, measured) - TOLERANCE


@pytest.mark.parametrize("name", pretrained.pretrained_names())
def test_folders_hold_weights_and_no_places(name):
    folder = pretrained.PRETRAINED / name
    files = {path.name for path in folder.iterdir()}
    snapshot = find_snapshot(folder).rpartition("/")[2]
    about = {"checkpoint", FLAGS_FILE, pretrained.SCORES_FILE, "picture.png"}
    assert files == about | {f"{snapshot}.index", f"{snapshot}.data-00000-of-00001"}
    saved = read_flag_file(folder / FLAGS_FILE)
    assert saved == neutral_flags(saved, name)
    assert not [value for value in saved.values() if value.startswith("/")]
    names = read_snapshot(str(folder)).keys()
    assert not [n for n in names if n.rpartition("/")[0] in names or n.startswith("report/")]


@pytest.fixture(scope="module")
def evaluated(processes, trained, tmp_path_factory):
    """A finished run that is scored, and its picture."""
    folder = shutil.copytree(trained, tmp_path_factory.mktemp("evaluated") / "run")
    ended = processes.run("scripts.eval_mnist", f"--snapshot={folder}", "--tsne_figure_name=")
    assert ended.code == 0, ended.stderr
    Image.new("RGB", (4, 4)).save(folder / "shown.png")
    return folder


@pytest.fixture
def flags_of(evaluated, tmp_path):
    """What makes pretrained weights of that run."""
    return {
        "snapshot": evaluated,
        "out": tmp_path / "pretrained" / "tiny",
        "scores": evaluated / "eval" / "eval_mnist-4.json",
        "seconds": "5400",
        "picture": evaluated / "shown.png",
        "command": "./run.sh --seed=0",
    }


def as_flags(values):
    return [f"--{name}={value}" for name, value in values.items()]


@pytest.mark.slow
def test_from_a_run_to_load_pretrained_and_evaluation(processes, evaluated, flags_of, tmp_path, monkeypatch):
    ended = processes.run(MAKE, *as_flags(flags_of))
    assert (ended.code, ended.stderr) == (0, "")
    folder = flags_of["out"]
    assert f"{folder}: " in ended.stdout
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]
    files = contents(folder)
    snapshot = {f"model.ckpt-4{ending}" for ending in (".index", ".data-00000-of-00001")}
    assert files.keys() == {*snapshot, "checkpoint", "flags.txt", "scores.json", "picture.png"}
    assert str(tmp_path).encode() not in b"".join(files.values())
    assert str(evaluated.parent).encode() not in b"".join(files.values())
    saved = read_flag_file(folder / "flags.txt")
    assert (saved["name"], saved["logdir"]) == ("tiny", "checkpoints/{name}")
    assert "data_dir" not in saved
    about = json.loads(files["scores.json"])
    accuracy = about["scores"]["eval_mnist"]["unsupervised"]["transfer"]["prior"]["valid"]
    name = "unsupervised.transfer.prior.valid"
    assert about["score"] == {"evaluation": "eval_mnist", "name": name, "value": accuracy}
    assert (about["data"], about["seed"], about["step"], about["hours"]) == ("digits", 0, 4, 1.5)
    assert about["command"] == "./run.sh --seed=0"

    arrays, before = read_snapshot(str(folder)), read_snapshot(str(evaluated))
    assert any(name.endswith("/rms") for name in before)
    model = stacked_capsules.load_run(evaluated)
    assert arrays.keys() == {weight.path for weight in model.weights} | {"global_step"}
    monkeypatch.setattr(pretrained, "PRETRAINED", folder.parent)
    images = np.random.default_rng(0).uniform(size=(3, 28, 28, 1)).astype(np.float32)
    for loaded in (
        stacked_capsules.load_pretrained("tiny"),
        stacked_capsules.load_run("pretrained/tiny"),
        stacked_capsules.load_run("pretrained/tiny/model.ckpt-4"),
    ):
        for answer, wanted in zip(loaded.encode(images), model.encode(images), strict=True):
            np.testing.assert_array_equal(answer, wanted)

    results = tmp_path / "results"
    flags = (f"--snapshot={folder}", f"--results={results}")
    ended = processes.run("scripts.eval_mnist", *flags)
    assert ended.code == 0, ended.stderr
    assert f"scores: {results}/eval/eval_mnist-4.json" in ended.stdout
    assert {path.name for path in results.iterdir()} == {"eval", "tsne.png"}
    anew = json.loads((results / "eval" / "eval_mnist-4.json").read_text())
    assert score_at(anew, name) == accuracy
    anew = scores_anew(model, saved, about["scores"]["eval_mnist"])
    assert score_at(anew, name) == accuracy
    exported = processes.run("scripts.export_model", flags[0], f"--out={tmp_path}/out", "--formats=keras")
    assert exported.code == 0, exported.stderr
    assert contents(folder) == files


@pytest.mark.slow
def test_scenes_and_constellations_are_evaluated_elsewhere(processes, tmp_path):
    scenes, points = tmp_path / "scenes", tmp_path / "points"
    small = {"input_size": (3, 35, 35), "K": 4, "z_size": 4, "refinement_iters": 1}
    model = emorl.build("tetrominoes", **small)
    more = {"dataset": "tetrominoes", "batch_size": "2", "n_test": "4", "seed": "0"}
    write_run(scenes, "EfficientMORL", model.config, model, **more)
    model = stacked_capsules.build("constellation")
    config = stacked_capsules.configuration.ConstellationConfig()
    more = {"dataset": "constellation", "batch_size": "8", "which_patterns": "0,1,0", "seed": "0"}
    write_run(points, "constellation", config, model, **more)
    for folder, script, main in (
        (scenes, "eval_emorl", "ARI.mean"),
        (points, "eval_constellation", "segmentation_accuracy"),
    ):
        (folder / pretrained.SCORES_FILE).write_text("{}\n")
        before = contents(folder)
        few = "--num_images_to_process=4" if folder == scenes else "--n_examples=40"
        out = (f"--results={tmp_path}/results", f"--json={tmp_path}/scores.json")
        ended = processes.run(f"scripts.{script}", f"--snapshot={folder}", few, *out)
        assert ended.code == 0, ended.stderr
        assert contents(folder) == before
        told = json.loads((tmp_path / "scores.json").read_text())
        loaded = load_run(package_of_run(folder), folder)
        anew = scores_anew(loaded, read_flag_file(folder / FLAGS_FILE), told)
        assert score_at(anew, main) == pytest.approx(score_at(told, main), abs=1e-6)


def test_results_of_pretrained_weights_have_a_place_of_their_own(tmp_path, monkeypatch):
    from scripts import evaluated_run

    monkeypatch.setattr(evaluated_run, "FLAGS", flags.FlagValues())
    flags.DEFINE_string("results", None, "", flag_values=evaluated_run.FLAGS)
    evaluated_run.FLAGS.mark_as_parsed()
    folder = tmp_path / "tiny"
    folder.mkdir()
    assert evaluated_run.results_folder(folder) == folder
    (folder / pretrained.SCORES_FILE).write_text("{}\n")
    monkeypatch.chdir(folder)
    for path in (folder, folder.relative_to(folder)):
        assert str(evaluated_run.results_folder(path)) == "checkpoints/pretrained/tiny"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"command": ""}, "--command is missing: The command that trained it."),
        ({"out": "{evaluated}"}, "is there already: choose another --out, or delete it"),
        ({"out": "{folder}/a-b"}, "name the folder with letters, digits and underscores"),
        ({"picture": "{evaluated}/none.png"}, "there is no such file, or it is not a PNG file"),
        ({"picture": "{evaluated}/flags.txt"}, "flags.txt: there is no such file, or it is not a PNG file"),
        ({"snapshot": "{folder}/none"}, "there is no snapshot"),
        ({"scores": "{evaluated}/flags.txt"}, "it is not a JSON file that an evaluation wrote"),
        ({"scores": "{folder}/other.json"}, "of step 3, but the snapshot is of step 4"),
        ({"score": "ARI.mean"}, "no file of --scores holds the number ARI.mean"),
    ],
)
def test_mistakes_make_nothing(processes, evaluated, flags_of, tmp_path, changed, words):
    (tmp_path / "other.json").write_text('{"step": 3}\n')
    changed = {name: value.format(evaluated=evaluated, folder=tmp_path) for name, value in changed.items()}
    before = contents(evaluated)
    assert words in processes.run(MAKE, *as_flags(flags_of | changed)).mistake
    assert not flags_of["out"].exists()
    assert not (tmp_path / "a-b").exists()
    assert contents(evaluated) == before


@pytest.mark.slow
def test_large_weights_are_refused(processes, flags_of, tmp_path):
    config = stacked_capsules.configuration.SCAEConfig(n_obj_caps=120)
    write_run(tmp_path / "large", "scae", config, stacked_capsules.seeded_models.make_scae(config), step=4)
    mistake = processes.run(MAKE, *as_flags(flags_of | {"snapshot": tmp_path / "large"})).mistake
    assert "MB, more than the 16 MB that pretrained/ may have for one model" in mistake
    assert list(flags_of["out"].parent.iterdir()) == []


@pytest.mark.slow
def test_training_does_not_go_on_from_weights_alone(processes, tmp_path):
    config = stacked_capsules.configuration.ConstellationConfig()
    folder = tmp_path / "points"
    write_run(folder, "constellation", config, stacked_capsules.build("constellation"))
    flags = (
        "--model=constellation",
        "--dataset=constellation",
        "--name=points",
        f"--logdir={tmp_path}/{{name}}",
    )
    ended = processes.run("scripts.train", *flags, "--max_train_steps=9")
    assert "holds weights alone, nothing of the optimizer" in ended.mistake
    assert "begin a new run, with another --name, from its weights (--checkpoint in" in ended.mistake


def test_unknown_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pretrained, "PRETRAINED", tmp_path / "beside")
    with pytest.raises(UserError) as none:
        stacked_capsules.load_pretrained("mnist")
    assert "no pretrained weights 'mnist', nor any others of scae or constellation" in str(none.value)
    assert "of the repository" in str(none.value)
    for name, model in (("a", "scae"), ("b", "constellation"), ("c", "SlotAttention")):
        folder = tmp_path / "beside" / name
        folder.mkdir(parents=True)
        (folder / FLAGS_FILE).write_text(f"--model={model}\n")
        (folder / pretrained.SCORES_FILE).write_text("{}\n")
    (tmp_path / "beside" / "d").mkdir()
    for load, name, known in (
        (stacked_capsules.load_pretrained, "d", "a, b"),
        (stacked_capsules.load_pretrained, "../a", "a, b"),
        (stacked_capsules.load_run, "pretrained/d", "a, b"),
        (emorl.load_pretrained, "d", "c"),
        (find_snapshot, "pretrained/d", "a, b, c"),
    ):
        with pytest.raises(UserError) as error:
            load(name)
        name = name.removeprefix("pretrained/")
        assert str(error.value) == f"there are no pretrained weights {name!r} here; choose one of {known}"
    for load, name, words in (
        (
            stacked_capsules.load_pretrained,
            "c",
            "'SlotAttention': emorl.load_pretrained takes it; choose one of a, b",
        ),
        (
            emorl.load_run,
            "pretrained/a",
            "'scae': stacked_capsules.load_pretrained takes it; choose one of c",
        ),
    ):
        with pytest.raises(UserError) as error:
            load(name)
        assert str(error.value).endswith(f"for the model {words}")

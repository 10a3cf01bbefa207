"""Every evaluation of a tiny run on generated tetrominoes, as a user starts it."""

import json
import shutil

import h5py
import numpy as np
import pytest
from PIL import Image

from discovery.snapshots import read_snapshot
from discovery.training.save_and_resume import write_snapshot
from scripts.evaluated_run import mark

pytestmark = pytest.mark.slow

N_TEST, K, Z = 5, 4, 4
TRAIN = (
    *("--dataset=tetrominoes", "--input_size=3,35,35", "--image_decoder=small", f"--K={K}", f"--z_size={Z}"),
    *("--batch_size=2", "--iters=2", "--plot_steps=2", f"--n_test={N_TEST}", "--seed=3"),
)
EMORL = ("--name=emorl", "--stochastic_layers=1", "--refinement_curriculum=-1:1,2:0")
SLOT_ATTENTION = ("--name=slots", "--model=SlotAttention")
VAE = ("--name=vae", "--model=VAE")


@pytest.fixture(scope="module")
def runs(processes, tmp_path_factory):
    """The runs' folders by name; their test sets are tiny.

    "scattered" is "slots" with weights so large that some slots are as small as objects.
    """
    logdir = tmp_path_factory.mktemp("emorl")
    for flags in (EMORL, SLOT_ATTENTION, VAE):
        ended = processes.run("scripts.train_emorl", *TRAIN, *flags, f"--logdir={logdir}/{{name}}")
        assert ended.code == 0, ended.stderr
    scattered = shutil.copytree(logdir / "slots", logdir / "scattered")
    arrays = read_snapshot(str(scattered))
    for i, (name, array) in enumerate(arrays.items()):
        if name.startswith("slot_attention/") and f"{name}/adam_m" in arrays:
            fan_in = max(1, int(np.prod(array.shape[:-1])))
            noise = np.random.default_rng([i, 2]).normal(size=array.shape) * fan_in**-0.5
            arrays[name] = (array + noise).astype(array.dtype)
    write_snapshot(scattered, 2, arrays)
    return {name: logdir / name for name in ("emorl", "slots", "vae", "scattered")}


@pytest.fixture(scope="module")
def evaluate(processes, runs, tmp_path_factory):
    """Runs an evaluation; returns the JSON, the folder of its files, and what was printed."""
    folder = tmp_path_factory.mktemp("json")

    def run(name, eval_type, *flags):
        path = folder / "scores.json"
        ended = processes.run(
            *("scripts.eval_emorl", f"--snapshot={runs[name]}", f"--eval_type={eval_type}"),
            *(f"--json={path}", *flags),
        )
        assert ended.code == 0, ended.stderr
        scores = json.loads(path.read_text())
        changed = scores["changed_flags"]
        given = {flag[2:].split("=")[0] for flag in flags}
        assert set(changed) - {"K"} == given - {"batch_size", "disentangle_slot"}
        own = runs[name] / "eval" / f"eval_emorl_{eval_type}-2{mark(changed)}.json"
        assert scores == json.loads(own.read_text())
        assert scores["step"] == 2
        assert scores["seed"] == 3
        if eval_type in ("activeness", "make_gifs") or eval_type.startswith("disentanglement"):
            changed.pop("num_images_to_process", None)
        return scores, runs[name] / "eval" / f"model.ckpt-2{mark(changed)}", ended.stdout

    return run


def test_training_draws_pictures(runs):
    for name in ("emorl", "slots"):
        names = {path.stem for path in (runs[name] / "plots").glob("*.png")}
        assert names == {"reconstructions", "slots", "masks", "attention", "stages"}
    names = {path.stem for path in (runs["vae"] / "plots").glob("*.png")}
    assert names == {"reconstructions", "slots", "masks", "stages"}


def test_ari_mse_kl(evaluate):
    scores, folder, printed = evaluate("emorl", "ARI_MSE_KL")
    assert scores["num_images"] == N_TEST
    assert scores["refinement_iters"] == 1  # of the run's last step
    for name in ("ARI", "MSE", "KL"):
        mean, std = (float(number) for number in (folder / f"{name}.txt").read_text().split(","))
        tolerance = 6e-4 if name == "ARI" else 0
        assert scores[name]["mean"] == pytest.approx(mean, abs=tolerance)
        assert scores[name]["std"] == pytest.approx(std, abs=tolerance)
        assert f"{scores[name]['mean']:.6g}" in printed
    assert -1 <= scores["ARI_all"]["mean"] <= 1
    assert 0 <= scores["mIoU"]["mean"] <= 1
    # Neither the batch size nor a second start changes anything; more or fewer refinements do.
    assert evaluate("emorl", "ARI_MSE_KL", "--batch_size=5")[0] == scores
    assert len((folder / "ARI.txt").read_text().splitlines()) == 1
    fewer = evaluate("emorl", "ARI_MSE_KL", "--refinement_iters=0")[0]
    assert fewer["refinement_iters"] == 0
    assert fewer["MSE"] != scores["MSE"]


def test_a_variant_is_scored_apart_from_the_run(evaluate, runs):
    scores, folder, printed = evaluate("slots", "ARI_MSE_KL", "--variant=more_objects")
    assert scores["changed_flags"] == {"variant": "more_objects", "K": str(K + 1)}
    assert scores["data"] == f"{N_TEST} scenes, generated (more_objects)"
    assert folder.name == f"model.ckpt-2.variant=more_objects.K={K + 1}"
    assert (folder / "ARI.txt").exists()
    assert "scored with --variant=more_objects" in printed
    assert f"additional slot, --K={K + 1}" in printed
    title = f"eval_emorl_ARI_MSE_KL, step 2, with --variant=more_objects --K={K + 1}"
    assert title in (runs["slots"] / "report.html").read_text()


def test_slot_attention_has_no_kl(evaluate):
    scores, folder, _ = evaluate("slots", "ARI_MSE_KL", "--num_images_to_process=3")
    assert scores["num_images"] == 3
    assert scores["KL"] is None
    assert not (folder / "KL.txt").exists()


def test_one_latent_separates_nothing(evaluate):
    scores, folder, _ = evaluate("vae", "ARI_MSE_KL")
    assert scores["model"] == "VAE"
    assert "refinement_iters" not in scores
    assert scores["ARI"] == scores["ARI_all"] == {"mean": 0.0, "std": 0.0}
    assert scores["MSE"]["mean"] > 0
    assert scores["KL"]["mean"] == pytest.approx(float((folder / "KL.txt").read_text().split(",")[0]))
    assert scores["KL"]["mean"] > 0


@pytest.mark.parametrize("name", ["emorl", "slots", "vae"])
def test_sample_viz(evaluate, name):
    scores, folder, _ = evaluate(name, "sample_viz", "--num_images_to_process=2")
    assert scores["num_images"] == 2
    T = 2 if name == "emorl" else 1
    with np.load(folder / "rinfo_1.npz", allow_pickle=False) as arrays:
        assert arrays["outputs/pred_mask"].shape == (1, T, 1 if name == "vae" else K, 35, 35, 1)
        assert arrays["data/true_mask"].shape == (1, 4, 1, 35, 35)
    with Image.open(folder / "rinfo_1.png") as picture:
        assert min(picture.size) > 100


def test_latents_one_evaluation_after_the_other(evaluate, processes, runs):
    without_ranges = ("scripts.eval_emorl", f"--snapshot={runs['scattered']}", "--eval_type=activeness")
    assert "run --eval_type=disentanglement_preprocessing first" in processes.run(*without_ranges).mistake
    scores, folder, _ = evaluate("slots", "disentanglement_preprocessing")
    lines = (folder / "z_range.txt").read_text().splitlines()
    ranges = [[float(number) for number in line.split(",")] for line in lines]
    assert ranges == scores["z_range"]
    assert len(ranges) == Z
    scores, _, _ = evaluate("slots", "activeness")
    values = np.load(folder / "activeness.npy", allow_pickle=False)
    assert values.shape == (N_TEST, Z)
    np.testing.assert_allclose(scores["activeness"], values.mean(axis=0), rtol=1e-6)
    scores, _, _ = evaluate("slots", "disentanglement_viz", "--disentangle_slot=2")
    (picture,) = scores["pictures"]
    no_slot = (*without_ranges[:1], f"--snapshot={runs['slots']}", "--eval_type=disentanglement_viz")
    mistake = processes.run(*no_slot, "--disentangle_slot=9").mistake
    assert "--disentangle_slot=9: the model has slots 0 to 3" in mistake
    with np.load(folder / "slot_2_image_0_traversal.npz", allow_pickle=False) as arrays:
        assert arrays["pictures"].shape == (Z, 8, 35, 35, 3)
    with Image.open(picture) as opened:
        assert min(opened.size) > 100


def test_make_gifs(evaluate):
    scores, folder, _ = evaluate("emorl", "make_gifs", "--num_images_to_process=2")
    assert sorted(scores["most_active"]) == list(range(Z))  # of ten, as many as there are
    assert len(scores["gifs"]) == 2 * K * Z == len(list(folder.glob("image_?/*.gif")))
    with Image.open(folder / "image_1" / "slot_3_row_0.gif") as gif:
        assert gif.n_frames in range(1, 9)  # Pillow joins frames that are alike


def test_dci(evaluate):
    scores, folder, printed = evaluate("scattered", "dci", "--n_test=40")
    assert scores["num_objects"] >= 4
    assert not scores["compat"]
    assert set(scores["informativeness_per_factor"]) == {"x", "y", "shape", "red", "green", "blue"}
    for name in ("disentanglement", "completeness"):
        assert 0 <= scores[name] <= 1
        assert f"'{name}': {scores[name]}" in (folder / "dci.txt").read_text()
        assert f"{scores[name]:.4f}" in printed
    compat, _, _ = evaluate("scattered", "dci", "--n_test=40", "--dci_compat")
    assert compat["compat"]
    assert compat["num_objects"] == scores["num_objects"]


def test_downstream(evaluate):
    flags = ("--downstream_train_images=20", "--downstream_steps=10")
    scores, _, printed = evaluate("emorl", "downstream", *flags)
    assert scores["num_images"] == {"train": 20, "valid": N_TEST}
    assert scores["num_objects"] == {"train": 60, "valid": 3 * N_TEST}
    combinations = {
        f"{predictor}_{matching}" for predictor in ("linear", "mlp") for matching in ("mask", "loss")
    }
    assert set(scores["other_scenes"]) == combinations
    for found in (scores, scores["other_scenes"]):
        for combination in combinations:
            r2, accuracy = found[combination]["R2"], found[combination]["accuracy"]
            assert set(r2) == {"mean", "x", "y"}
            assert set(accuracy) == {"mean", "shape", "red", "green", "blue"}
            assert r2["mean"] == pytest.approx((r2["x"] + r2["y"]) / 2)
            assert f"{accuracy['shape']:.4f}" in printed
            assert 0 <= accuracy["mean"] <= 1
    assert scores["baseline"]["R2"]["mean"] <= 0


def test_clevrtex(evaluate):
    scores, _, printed = evaluate("slots", "clevrtex")
    assert scores["num_images"] == N_TEST
    assert 0 <= scores["mIoU"]["mean"] <= 1
    assert "ARI_FG" in printed


def h5(path, owner=None, size=(35, 35), overlapping=None):
    """White scenes; masks by the entity that owns each pixel, two owning one in scene `overlapping`."""
    n = 2 if owner is None else len(owner)
    with h5py.File(path, "w") as file:
        for split in ("train", "test"):
            file[f"{split}/imgs"] = np.full([n, *size, 3], 255, np.uint8)
            if owner is not None:
                masks = 255 * (owner[:, None] == np.arange(owner.max() + 1)[:, None, None]).astype(np.uint8)
                if overlapping is not None:
                    masks[overlapping, :, 0, 0] = 255
                file[f"{split}/masks"] = masks[..., None]
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("h5")
    owner = np.random.default_rng(0).integers(0, 4, [140, 35, 35])
    h5(folder / "without_masks.h5")
    h5(folder / "without_factors.h5", owner[:2])
    h5(folder / "oblong.h5", owner[:2, :, :30], size=(35, 30))
    h5(folder / "larger.h5", owner[:2].repeat(2, 1).repeat(2, 2), size=(70, 70))
    h5(folder / "overlap.h5", owner[:2], overlapping=1)
    h5(folder / "overlap_in_the_middle.h5", owner, overlapping=70)
    return folder


MISTAKES = {
    "--eval_type=dci --data_path={files}/without_masks.h5": ("has no 'masks'", "this metric"),
    "--eval_type=dci --data_path={files}/without_factors.h5": ("has no 'factors'", "this metric needs them"),
    "--eval_type=downstream --data_path={files}/without_masks.h5": ("has no 'masks'", "this metric"),
    "--eval_type=downstream --data_path={files}/without_factors.h5": ("has no 'factors'", "needs them"),
    "--eval_type=downstream --downstream_train_images=1": ("--downstream_train_images=1", "2"),
    "--eval_type=clevrtex --data_path={files}/without_masks.h5": ("has no 'masks'", "this metric"),
    "--data_path={files}/oblong.h5": ("oblong.h5: images of 35x30 pixels", "square"),
    "--data_path={files}/larger.h5": ("larger.h5: images of 70x70", "--input_size=3,35,35"),
    "--data_path={files}/overlap.h5": ("overlap.h5, train/masks: masks are no partition", "fix the file"),
    "--data_path={files}/overlap_in_the_middle.h5": ("overlap_in_the_middle.h5: masks are no partition",),
    "--image_decoder=big": ("'big' renders 96 x 96 pixels",),
    "--eval_type=dci": ("objects in 5 images have their own slot", "train longer"),
    "--eval_type=iou": ("--eval_type=iou", "should be one of <ARI_MSE_KL|"),
    "--num_images_to_process=0": ("--num_images_to_process=0", "not a positive integer"),
    "--model=scae": ("--model=scae", "scores EfficientMORL, SlotAttention, VAE models"),
    "--K=5 --z_size=8": ("another architecture",),
    "--snapshot={run}/model.ckpt-7": ("there is no snapshot",),
    "--variant=rain": ("--variant=rain: tetrominoes has only occlusion, scale, color",),
    "--refinement_curriculum=5:1": ("--refinement_curriculum=5:1", "first must be 0 or -1"),
}


@pytest.mark.parametrize("flags", MISTAKES)
def test_mistakes_are_one_line(processes, runs, files, flags):
    given = flags.format(files=files, run=runs["slots"]).split()
    run = runs["emorl"] if "curriculum" in flags else runs["slots"]
    mistake = processes.run("scripts.eval_emorl", f"--snapshot={run}", *given).mistake
    for part in MISTAKES[flags]:
        assert part in mistake


def test_without_masks_there_are_mse_and_pictures(processes, runs, files, tmp_path):
    flags = (
        *(f"--snapshot={runs['slots']}", f"--data_path={files}/without_masks.h5"),
        *(f"--results={tmp_path}", f"--json={tmp_path}/scores.json"),
    )
    ended = processes.run("scripts.eval_emorl", *flags)
    assert ended.code == 0, ended.stderr
    assert "warning: the data have no masks" in ended.stderr
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["ARI"] is scores["ARI_all"] is scores["mIoU"] is None
    assert scores["MSE"]["mean"] > 0
    assert [path.name for path in tmp_path.glob("eval/model.ckpt-2*/*")] == ["MSE.txt"]
    assert processes.run("scripts.eval_emorl", *flags, "--eval_type=sample_viz").code == 0
    (found,) = tmp_path.glob("eval/*/rinfo_0.npz")
    with np.load(found, allow_pickle=False) as arrays:
        assert "data/image" in arrays
        assert "data/true_mask" not in arrays


@pytest.mark.parametrize("eval_type", ["ARI_MSE_KL", "clevrtex"])
def test_fewer_slots_than_objects_is_a_warning(processes, runs, tmp_path, eval_type):
    path = h5(tmp_path / "crowd.h5", np.random.default_rng(0).integers(0, 7, [2, 35, 35]))
    ended = processes.run(
        *(
            "scripts.eval_emorl",
            f"--snapshot={runs['slots']}",
            f"--data_path={path}",
            f"--eval_type={eval_type}",
        )
    )
    assert ended.code == 0, ended.stderr
    assert "warning: 6 objects, but 4 slots" in ended.stderr
    assert "ARI and IoU cannot reach 1" in ended.stderr

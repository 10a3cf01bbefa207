"""EMORL's training script: what the original's flags do, and mistakes."""

import json
import os

import h5py
import numpy as np
import pytest

from discovery.distributed.replicas import single_replica
from discovery.snapshots import read_snapshot
from discovery.training.optimizers import Adam
from discovery.training.run_folder import write_flags
from discovery.training.save_and_resume import write_snapshot
from discovery.training.train_state import TrainState
from emorl.configuration import EMORLConfig
from emorl.seeded_models import make_efficient_morl
from tests.emorl.data.test_multi_object_records import BINARIZED, TETROMINOES, write
from tests.scripts.tiny_runs import contents

pytestmark = pytest.mark.slow

SIZE, N = 12, 200
MODEL = {"K": 2, "z_size": 4, "image_decoder": "small", "stochastic_layers": 1}
TINY = {**MODEL, "input_size": f"3,{SIZE},{SIZE}", "dataset": "tetrominoes", "refinement_curriculum": "-1:1"}
TINY |= {"batch_size": 2, "iters": 4, "plot": False, "n_test": 4}


def flags(**values):
    return [f"--{name}={value}" for name, value in {**TINY, **values}.items()]


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """A run of two steps, as far as its files tell."""
    folder = tmp_path_factory.mktemp("earlier") / "tiny"
    folder.mkdir()
    model = make_efficient_morl(EMORLConfig(**MODEL, input_size=(3, SIZE, SIZE)))
    state = TrainState(model, Adam(), single_replica())
    state.step.assign(2)
    write_snapshot(folder, 2, {name: value.numpy() for name, value in state.named.items()})
    write_flags(folder, {name: str(value) for name, value in TINY.items()})
    return folder


def h5(path, size=(SIZE, SIZE), n=4, dtype=np.uint8, splits=("train", "test"), **options):
    with h5py.File(path, "w") as file:
        for split in splits:
            images = np.random.default_rng(0).integers(0, 256, [n, *size, 3]).astype(dtype)
            file.create_dataset(f"{split}/imgs", data=images, **options)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    h5(folder / "good.h5")
    h5(folder / "train_only.h5", splits=("train",))
    h5(folder / "oblong.h5", size=(SIZE, 10))
    h5(folder / "larger.h5", size=(16, 16))
    h5(folder / "float.h5", dtype=np.float32)
    cut = h5(folder / "cut.h5", n=50)
    os.truncate(cut, cut.stat().st_size // 2)
    (folder / "text.h5").write_text("no scenes")
    h5(folder / "chunk.h5", n=N, chunks=(10, SIZE, SIZE, 3), compression="gzip")
    with h5py.File(folder / "chunk.h5") as file:
        middle = file["train/imgs"].id.get_chunk_info(N // 20)  # neither end, so that it shows while training
    with open(folder / "chunk.h5", "r+b") as file:
        file.seek(middle.byte_offset)
        file.write(bytes(middle.size))
    write(folder / "good.tfrecords", TETROMINOES, 12)
    write(folder / "sprites.tfrecords", BINARIZED, 1)
    content = (folder / "good.tfrecords").read_bytes()
    (folder / "begun.tfrecords").write_bytes(content[: len(content) // 100])
    (folder / "cut.tfrecords").write_bytes(content[: len(content) * 9 // 10])
    return folder


def test_the_original_s_flags_of_a_run(processes, earlier, files, tmp_path):
    """A file without test scenes trains; a run begins with another's snapshot, where --out_dir says."""
    before = contents(earlier)
    begun = ["--load_from_checkpoint", f"--checkpoint={earlier}/model.ckpt-2", f"--out_dir={tmp_path}"]
    named = ["--name=a", "--run_suffix=b", "--DDP_port=29501", "--tqdm", "--masks", "--seed=1"]
    ended = processes.run(
        "scripts.train_emorl", *flags(iters=3, data_path=files / "train_only.h5"), *begun, *named
    )
    assert ended.code == 0, ended.stderr
    assert "Reports under valid/ are of training scenes" in ended.stdout
    assert "resumes from step 2" in ended.stdout
    assert (tmp_path / "a-b" / "model.ckpt-3.index").exists()
    (report,) = (json.loads(line) for line in (tmp_path / "a-b" / "metrics.jsonl").read_text().splitlines())
    assert report["step"] == 3
    assert {"train/nll", "train/kl", "train/geco_C_ema", "train/geco_beta"} <= report.keys()
    assert contents(earlier) == before


def test_a_run_begins_with_weights_alone(processes, earlier, files, tmp_path):
    """Those of a snapshot that has no more with the original's flags, those of any other with ours."""
    (tmp_path / "bare").mkdir()
    arrays = read_snapshot(str(earlier))
    slots = {name for name in arrays if name.rpartition("/")[0] in arrays}
    (geco,) = (name for name in arrays if name.endswith("geco_beta"))
    arrays[geco] += 5  # GECO begins anew
    write_snapshot(tmp_path / "bare", 2, {name: arrays[name] for name in arrays.keys() - slots})
    run = [*flags(iters=1, data_path=files / "good.h5"), f"--out_dir={tmp_path}"]
    for name, begun in {
        "a": ("--load_from_checkpoint", f"--checkpoint={tmp_path}/bare"),
        "b": (f"--weights_from={earlier}",),
    }.items():
        ended = processes.run("scripts.train_emorl", *run, *begun, f"--name={name}")
        assert ended.code == 0, ended.stderr
        assert "begins with the weights of" in ended.stdout
        assert (tmp_path / name / "model.ckpt-1.index").exists()
    first, second = (read_snapshot(str(tmp_path / name)) for name in "ab")
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)
    assert first[geco] < 5
    # A snapshot of another model is refused before an earlier run is cleared.
    again = ("--name=b", "--overwrite", "--z_size=5", f"--weights_from={earlier}")
    assert "belongs to another architecture" in processes.run("scripts.train_emorl", *run, *again).mistake
    assert (tmp_path / "b" / "model.ckpt-1.index").exists()


#: Flags that are wrong -> what the line says: what, where, what to do.
MISTAKES = {
    "--data_path={files}/oblong.h5": ("oblong.h5: images of 12x10", "crop or pad them", "square"),
    "--data_path={files}/larger.h5": ("larger.h5: images of 16x16", "set it to 3,16,16"),
    "--data_path=": ("--dataset=tetrominoes: images of 35x35", "--input_size=3,12,12", "3,35,35"),
    "--data_path={files}/float.h5": ("float.h5, train/imgs: type float32; expected uint8",),
    "--data_path={files}/cut.h5": ("cut.h5: cannot be read as HDF5", "truncated", "is it damaged?"),
    "--data_path={files}/text.h5": ("text.h5: is neither HDF5 nor GZIP TFRecords",),
    "--data_path={files}/absent.h5": ("absent.h5: cannot be opened (No such file",),
    "--data_path={files}": ("is a folder; name the file in it with --h5_path",),
    "--data_path={files}/begun.tfrecords": ("begun.tfrecords: cannot be read", "is it damaged?"),
    "--data_path={files}/sprites.tfrecords": ("sprites.tfrecords: holds multi_dsprites", "--dataset="),
    "--dataset=clevr6": ("images of 12x12 pixels cannot be cropped like CLEVR's 240x320",),
    "--dataset=clevr6 --data_path=": ("--dataset=clevr6 has no generator: give --data_path",),
    "--dataset=tetris": ("--dataset=tetris: unknown; choose one of tetrominoes",),
    "--clevr_preprocess_style=clevr-big": ("--clevr_preprocess_style=clevr-big",),
    "--input_size=3,12,10": ("input_size is 12 x 10; images must be square",),
    "--input_size=12,12": ("input_size must be [3, H, W], not [12, 12]",),
    "--input_size=3,a,a": ("--input_size=3,a,a: give integers",),
    "--image_decoder=big": ("'big' renders 96 x 96 pixels; for 12 x 12 use 'iodine' or 'small'",),
    "--image_decoder=tiny": ("image_decoder must be one of small, iodine, big, not 'tiny'",),
    "--image_likelihood=GMN": ("image_likelihood must be one of Gaussian, GMM, not 'GMN'",),
    "--model=SlotAtention": ("--model=SlotAtention: there is no such model", "SlotAttention"),
    "--bottom_up_prior": ("bottom_up_prior and reverse_prior_plusplus are mutually exclusive",),
    "--refinement_curriculum=-1:3,200:1,100:2": ("--refinement_curriculum=", "must ascend"),
    "--refinement_curriculum=3": ("--refinement_curriculum=3: give pairs step:number",),
    "--K=0": ("K must be an integer of at least 1, not 0",),
    "--z_size=-4": ("z_size must be an integer of at least 1, not -4",),
    "--stochastic_layers=-1": ("stochastic_layers must be an integer of at least 0, not -1",),
    "--refinement_iters=-1": ("refinement_iters must be an integer of at least 0, not -1",),
    "--batch_size=0": ("--batch_size=0: must be positive",),
    "--batch_size=3 --replicas=2": ("a batch of 3", "2 replicas"),
    "--n_test=0": ("--n_test=0: must be positive",),
    "--iters=-1": ("--iters=-1",),
    "--num_workers=0": ("--num_workers=0",),
    "--tensorboard_freq=0": ("--tensorboard_freq=0",),
    "--warmup=0": ("warmup must be an integer of at least 1, not 0",),
    "--lr=-1": ("lr must be at least 0, not -1",),
    "--lr=nan": ("--lr=nan: give a finite number",),
    "--log_scale=inf": ("--log_scale=inf: give a finite number",),
    "--geco_ema_alpha=1.5": ("geco_ema_alpha must be from 0 to 1, not 1.5",),
    "--kl_beta_init=-1": ("kl_beta_init must be at least 0, not -1",),
    "--mode=test": ("--mode=test", "training takes the train split"),
    "--load_from_checkpoint": ("--load_from_checkpoint", "give both"),
    "--checkpoint={files}/model.ckpt-3": ("--checkpoint", "give both"),
    "--weights_from={files}": ("there is no snapshot",),
    "--load_from_checkpoint --checkpoint=a --weights_from=b": ("--weights_from=b", "not both"),
    "--run_suffix=a/b": ("a/b cannot name a run",),
}


@pytest.mark.parametrize("wrong", MISTAKES)
def test_a_mistake_is_noticed_before_an_earlier_run_is_cleared(processes, earlier, files, wrong):
    before = contents(earlier)
    run = [f"--logdir={earlier.parent}/{{name}}", "--name=tiny", "--overwrite"]
    given = wrong.format(files=files).split()
    line = processes.run("scripts.train_emorl", *flags(data_path=files / "good.h5"), *run, *given).mistake
    for words in MISTAKES[wrong]:
        assert words in line
    assert contents(earlier) == before


def test_another_architecture_is_neither_resumed_nor_begun_with(processes, earlier, files, tmp_path):
    before = contents(earlier)
    run = [*flags(data_path=files / "good.h5"), f"--logdir={earlier.parent}/{{name}}", "--name=tiny"]
    for changed, told in {
        "--K=3 --image_decoder=iodine": ("--K=2 (now 3)", "--image_decoder=small (now iodine)"),
        "--model=SlotAttention": ("another architecture", "efficient_morl/"),  # its flags.txt names no model
    }.items():
        line = processes.run("scripts.train_emorl", *run, *changed.split()).mistake
        for words in told:
            assert words in line
    new = [f"--logdir={tmp_path}/{{name}}", "--load_from_checkpoint", "--z_size=5"]
    line = processes.run("scripts.train_emorl", *run, *new, f"--checkpoint={earlier}").mistake
    assert "another architecture" in line
    assert "of another shape" in line
    assert contents(earlier) == before
    assert not list((tmp_path / "tiny").glob("*"))


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        ("chunk.h5", SIZE, ("chunk.h5: reading train failed", "is it damaged?")),
        ("cut.tfrecords", 35, ("the data cannot be read: truncated record", "are complete")),
    ],
)
def test_damage_that_shows_while_training(processes, files, tmp_path, name, size, words):
    given = flags(data_path=files / name, model="SlotAttention", input_size=f"3,{size},{size}", iters=99)
    line = processes.run(
        "scripts.train_emorl", *given, "--name=a", f"--logdir={tmp_path}/{{name}}", "--num_workers=1"
    ).mistake
    for word in words:
        assert word in line


def test_a_loss_that_is_not_finite_ends_the_training(processes, files, tmp_path):
    given = flags(data_path=files / "good.h5", model="SlotAttention", lr=1e30)
    line = processes.run("scripts.train_emorl", *given, "--name=a", f"--logdir={tmp_path}/{{name}}").mistake
    assert "train/" in line
    assert "the training stopped with the state before it" in line
    assert "smaller --lr" in line

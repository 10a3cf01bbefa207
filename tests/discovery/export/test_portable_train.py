"""The program that trains elsewhere: it goes on exactly, survives damage, and tells mistakes in one line."""

import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from discovery import UserError
from discovery.export.exported_folder import RUNNER, Phase, write_folder
from discovery.export.npz_snapshot import read_npz_snapshot
from tests.discovery.export.toy_export import N_STEPS, ordinary_steps, toy_program, toy_rows

pytest.importorskip("jax", reason="the portable step needs the extra [jax]")

SECOND_PHASE = {"entropy_factor": 0.5}


def exported(folder, rows, platforms=("cpu", "cuda", "tpu")):
    """Writes the toy's step, with other options from step 6 on."""
    from discovery.export.lowering import exported_program

    phases = []
    for first, options in ((0, {}), (6, SECOND_PHASE)):
        program, state, data = toy_program(rows, **options)
        content = exported_program(program, program.arguments, platforms)
        phases.append(Phase(first, options, program.metrics, content))
    facts = {"flags": {"model": "toy"}, "inner_steps": program.n_most, "last_step": N_STEPS}
    write_folder(folder, phases, state, data, folder / "data.npz", facts)
    return folder


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """An export whose files no test changes."""
    return exported(tmp_path_factory.mktemp("exported") / "toy", toy_rows())


@pytest.fixture(scope="module")
def portable():
    """The runner, as it lies in an exported folder."""
    from discovery.export import portable_train

    return portable_train


@pytest.fixture(scope="module")
def whole(portable, toy, tmp_path_factory):
    """The folder of a run of all steps."""
    out = tmp_path_factory.mktemp("whole")
    assert portable.main([str(toy), f"--out={out}", "--report_steps=1"]) == 0
    return out


def lines_of(out):
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "steps_per_s"} for line in lines]


def test_it_takes_the_steps_of_tensorflow(whole):
    want, metrics = ordinary_steps(toy_rows(), N_STEPS, lambda step: {} if step < 6 else SECOND_PHASE)
    flags, arrays = read_npz_snapshot(whole / f"step-{N_STEPS}.npz")
    assert flags == {"model": "toy"}
    assert arrays.pop("global_step") == N_STEPS
    assert arrays.keys() == want.keys()
    for name, value in want.items():
        np.testing.assert_allclose(arrays[name], value, rtol=1e-4, atol=1e-6, err_msg=name)
    for step, (line, of_step) in enumerate(zip(lines_of(whole), metrics, strict=True), 1):
        assert line.pop("step") == step
        assert line.keys() == of_step.keys()
        np.testing.assert_allclose(list(line.values()), [of_step[n] for n in line], rtol=1e-4, atol=1e-6)


def test_goes_on_exactly_in_a_process_without_tensorflow(whole, toy, tmp_path):
    blocked = "import runpy, sys; sys.modules['tensorflow'] = None; sys.argv = sys.argv[1:]; "
    blocked += "runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-I", "-c", blocked, str(toy / RUNNER.name), str(toy), f"--out={tmp_path}"]
    for steps in (3, N_STEPS):
        ended = subprocess.run(
            [*command, f"--steps={steps}", "--report_steps=1"],
            env={**os.environ, "JAX_PLATFORMS": "cpu"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
    assert f"{tmp_path}: resumes from step 3\n" in ended.stdout
    assert lines_of(tmp_path) == lines_of(whole)
    with np.load(tmp_path / "step-12.npz") as one, np.load(whole / "step-12.npz") as other:
        assert one.files == other.files
        for name in one.files:
            np.testing.assert_array_equal(one[name], other[name])


def test_a_signal_stops_it_with_a_snapshot(portable, toy, tmp_path, monkeypatch, capsys):
    report = portable.Run.report

    def report_and_stop(run, *arguments):
        report(run, *arguments)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(portable.Run, "report", report_and_stop)
    before = signal.getsignal(signal.SIGTERM)
    assert portable.main([str(toy), f"--out={tmp_path}", "--report_steps=2"]) == 130
    assert signal.getsignal(signal.SIGTERM) is before
    assert "SIGTERM: stopped after step 4" in capsys.readouterr().out
    assert (tmp_path / "step-4.npz").exists()


def test_damage_leads_back_to_an_older_snapshot(portable, toy, whole, tmp_path, capsys):
    run = [str(toy), f"--out={tmp_path}", "--snapshot_steps=5", "--report_steps=1", "--keep=2"]
    assert portable.main([*run, "--steps=11"]) == 0
    assert sorted(path.name for path in tmp_path.glob("*.npz")) == ["step-10.npz", "step-11.npz"]
    newest = tmp_path / "step-11.npz"
    newest.write_bytes(newest.read_bytes()[:-200])
    assert portable.main(run) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith(f"warning: {newest} is damaged")
    assert f"{tmp_path}: resumes from step 10\n" in printed.out
    assert (tmp_path / "step-11.npz.damaged").exists()
    assert lines_of(tmp_path) == lines_of(whole)


def test_a_step_that_is_not_sound_ends_it(portable, tmp_path, capsys):
    folder = exported(tmp_path / "broken", toy_rows(broken_at=2), ["cpu"])
    assert portable.main([str(folder)]) == 1
    assert (
        capsys.readouterr().err
        == "error: loss is nan at step 3: the training stopped with the state before\n"
    )
    assert [path.name for path in (folder / "run").glob("*.npz")] == ["step-2.npz"]


def changed(folder, name, change):
    (folder / name).write_bytes(change((folder / name).read_bytes()))


MISTAKES = {
    "no folder": (lambda f: shutil.rmtree(f), "cannot read"),
    "no manifest": (lambda f: changed(f, "manifest.json", lambda c: c[:-9]), "manifest.json is damaged"),
    "other format": (
        lambda f: changed(f, "manifest.json", lambda c: c.replace(b'"format": 1', b'"format": 2')),
        "is of format 2",
    ),
    "program": (lambda f: changed(f, "program-0.bin", lambda c: c[:-1]), "its checksum is wrong"),
    "no data": (lambda f: (f / "data.npz").unlink(), "data.npz: there is no such file"),
    "data": (lambda f: changed(f, "data.npz", lambda c: c[:99]), "data.npz is damaged"),
    "other data": (
        lambda f: np.savez(f / "data.npz", x=np.zeros([2, 3])),
        "does not belong to this export: x",
    ),
    "data of another export": (
        lambda f: np.savez(f / "data.npz", x=toy_rows()[::-1]),
        "does not belong to this export: x",
    ),
    "code": (
        lambda f: np.savez(f / "data.npz", x=np.array([{}], object)),
        "Object arrays cannot be loaded",
    ),
    "--steps=13": (lambda f: None, "was exported for 12 steps"),
    "--steps=-1": (lambda f: None, "--steps=-1: give at least 0"),
    "--max_seconds=-1": (lambda f: None, "--max_seconds=-1.0: give at least 0"),
    "--part_mb=nan": (lambda f: None, "--part_mb=nan: give at least 0"),
    "--steps=x": (lambda f: None, "invalid int value: 'x'"),
    "--out=/dev/null/run": (lambda f: None, "cannot write /dev/null/run"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(portable, toy, tmp_path, capsys, mistake):
    folder = tmp_path / "copy"
    shutil.copytree(toy, folder, ignore=shutil.ignore_patterns("run"))
    change, words = MISTAKES[mistake]
    change(folder)
    assert portable.main([str(folder), *([mistake] if mistake.startswith("-") else [])]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    assert words in told


def test_time_ends_it_with_a_snapshot(portable, toy, whole, tmp_path, capsys, monkeypatch):
    clock = iter(range(0, 10_000, 10))  # ten seconds pass between any two looks at it
    monkeypatch.setattr(portable.time, "monotonic", lambda: float(next(clock)))
    assert portable.main([str(toy), f"--out={tmp_path}", "--max_seconds=45", "--report_steps=1"]) == 0
    assert "--max_seconds=45: stopped after step 4; the same command resumes" in capsys.readouterr().out
    assert [path.name for path in tmp_path.glob("*.npz")] == ["step-4.npz"]
    monkeypatch.undo()
    assert portable.main([str(toy), f"--out={tmp_path}", "--max_seconds=999", "--report_steps=1"]) == 0
    assert lines_of(tmp_path) == lines_of(whole)


def test_snapshots_in_parts_are_joined(portable, toy, whole, tmp_path, capsys):
    run = [str(toy), f"--out={tmp_path}", "--part_mb=0.002", "--report_steps=1", "--keep=1"]
    assert portable.main([*run, "--steps=3"]) == 0
    parts = sorted(tmp_path.glob("step-3.npz.part*"))
    assert len(parts) > 1
    assert max(part.stat().st_size for part in parts) <= 2000
    assert not (tmp_path / "step-3.npz").exists()
    assert portable.main(run) == 0
    assert f"{tmp_path}: resumes from step 3\n" in capsys.readouterr().out
    assert lines_of(tmp_path) == lines_of(whole)
    assert not list(tmp_path.glob("step-3.*"))  # --keep counts them as one
    want, got = (read_npz_snapshot(folder / f"step-{N_STEPS}.npz") for folder in (whole, tmp_path))
    assert got.flags == want.flags
    for name, array in want.arrays.items():
        np.testing.assert_array_equal(got.arrays[name], array)

    missing = next(tmp_path.glob("*.part2of*"))
    missing.unlink()
    with pytest.raises(UserError, match=r"step-12.npz lacks part2of\d+: copy all of its parts"):
        read_npz_snapshot(tmp_path / "step-12.npz")
    assert portable.main(run) == 1  # there is no other, and to begin anew would lose it
    assert "lacks part2of" in capsys.readouterr().err

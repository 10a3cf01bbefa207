"""Damaged files are refused in one line or read right: never a crash, a hang, or a wrong array."""

import pytest

from tests.hostile.kinds import KINDS


@pytest.mark.parametrize("name", KINDS)
def test_damaged_files(processes, tmp_path, name):
    ended = processes.run("tests.hostile.check_kind", name, tmp_path)
    assert ended.code == 0, ended.stdout + ended.stderr
    n, n_read, n_refused = map(int, ended.stdout.split())
    print(f"{name}: {n} cases, {n_read} read, {n_refused} refused")
    assert n_refused > 0


def test_there_are_enough():
    assert sum(kind.n_cases for kind in KINDS.values()) >= 500

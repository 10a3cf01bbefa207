"""Flags as text become options, of their types."""

from dataclasses import dataclass

import pytest

from discovery import UserError
from discovery.flag_files import (
    CONFIGS,
    options_of,
    read_config,
    read_flag_file,
    read_run_flags,
    replaced,
)
from discovery.options import option


@dataclass(frozen=True)
class Options:
    number: int = 1
    rate: float = 0.5
    deep: bool = False
    sizes: tuple[int, ...] = (1, 2)
    word: str = "a"


@dataclass(frozen=True)
class Later(Options):
    sharp: bool = option(False, later=True)


KINDS = {"cat": Options}


def test_options_have_their_types():
    flags = {"number": "3", "rate": "1e-3", "deep": "true", "sizes": "3,35,35", "word": "x=y", "other": "1"}
    assert options_of(Options, flags) == Options(3, 1e-3, True, (3, 35, 35), "x=y")
    assert options_of(Options, {"deep": "False"}) == Options()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("number", "3.5", "give an integer"),
        ("rate", "fast", "give a number"),
        ("deep", "maybe", "give true or false"),
        ("sizes", "3,x", "give integers"),
    ],
)
def test_mistakes(name, text, words):
    with pytest.raises(UserError, match=f"--{name}={text}: {words}"):
        options_of(Options, {name: text})


def test_replaced():
    assert replaced(Options(), {"number": 2}) == Options(number=2)
    with pytest.raises(UserError, match="what: no such option; choose from deep, number, rate, sizes, word"):
        replaced(Options(), {"what": 2})


def test_every_configuration_can_be_read():
    models = {read_flag_file(path)["model"] for path in CONFIGS.glob("*.flags")}
    assert models == {"scae", "constellation", "EfficientMORL", "SlotAttention", "VAE"}
    assert read_config("mnist", {"scae": Options})["canvas_size"] == "40"
    with pytest.raises(UserError, match=r"no configuration 'mnits'; choose one of cifar10, digits, .*svhn$"):
        read_config("mnits", {"scae": Options})
    with pytest.raises(UserError, match=r"'mnist' is for the model 'scae': stacked_capsules.build takes it;"):
        read_config("mnist", KINDS)


def test_flags_of_a_run(tmp_path):
    path = tmp_path / "flags.txt"
    with pytest.raises(UserError, match=r"is not a run's folder: it has no flags\.txt"):
        read_run_flags(tmp_path, KINDS)
    whole = "--name=a\n--model=cat\n--number=3\n--rate=1\n--deep=true\n--sizes=1\n--word=\n"
    path.write_text(whole)
    assert options_of(Options, read_run_flags(tmp_path, KINDS)) == Options(3, 1.0, True, (1,), "")
    path.write_text(whole.replace("--rate=1\n", ""))
    with pytest.warns(UserWarning, match="lacks --rate: using the defaults"):
        read_run_flags(tmp_path, KINDS)
    path.write_text(whole)  # of before there was --sharp: as its default says, and no warning
    assert options_of(Later, read_run_flags(tmp_path, {"cat": Later})) == Later(3, 1.0, True, (1,), "")
    for damaged in (whole[:-3], whole.replace("--model=cat\n", ""), "--model\n", ""):
        path.write_text(damaged)
        with pytest.raises(UserError, match=r"flags\.txt is damaged"):
            read_run_flags(tmp_path, KINDS)

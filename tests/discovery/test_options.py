"""Options are declared once: what is declared of them is checked, and found by whoever needs it."""

import dataclasses
from collections.abc import Sequence

import pytest

from discovery import UserError
from discovery.options import check_options, option, options_in, same_option, shaping


@dataclasses.dataclass(frozen=True)
class Options:
    kind: str = option("small", "Which.", topic="Sizes", choices=("small", "large"))
    number: int = option(3, "How many.", least=1, shapes=True)
    share: float = option(0.5, "Of what.", least=0, most=1)
    weight: float = option(1.0)
    most: int | None = option(None, least=1)
    word: str = "a"
    sizes: Sequence[int] = option((1, 2))

    def __post_init__(self):
        check_options(self)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "tiny"}, "kind must be one of small, large, not 'tiny'."),
        ({"number": 0}, "number must be an integer of at least 1, not 0."),
        ({"number": 2.5}, "number must be an integer of at least 1, not 2.5."),
        ({"number": True}, "number must be an integer of at least 1, not True."),
        ({"share": 1.5}, "share must be from 0 to 1, not 1.5."),
        ({"share": "a"}, "share must be a finite number from 0 to 1, not 'a'."),
        ({"weight": float("nan")}, "weight must be a finite number, not nan."),
        ({"most": 0}, "most must be an integer of at least 1, not 0."),
    ],
)
def test_values_are_checked(values, message):
    with pytest.raises(UserError) as error:
        Options(**values)
    assert str(error.value) == message


def test_what_is_declared_is_found():
    assert Options(weight=-3, most=2).weight == -3
    assert options_in(Options)["kind"].topic == "Sizes"
    assert options_in(Options)["word"].help == ""
    assert shaping(Options) == {"number"}


def test_one_declaration_serves_two_dataclasses():
    @dataclasses.dataclass(frozen=True)
    class Other:
        number: int = same_option(Options, "number")

    assert Other().number == 3
    assert options_in(Other) == {"number": options_in(Options)["number"]}

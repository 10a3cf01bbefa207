"""Reads damaged files of one kind: `python -m tests.hostile.check_kind KIND FOLDER`.

A process of its own, so that a crash of the interpreter, or a read that does not end, ends it alone.
"""

import faulthandler
import shutil
import sys
from pathlib import Path

import hypothesis
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

from discovery import UserError
from tests.hostile.kinds import KINDS, Arrays

SECONDS = 60  # no read takes this long


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes of a file that was cut, whose bytes were changed, or that lost or gained some."""
    position = st.integers(0, len(whole) - 1)
    content = bytearray(whole)
    way = draw(st.sampled_from(["cut", "flip", "flip", "flip", "fill", "lose", "gain"]))
    at, n = draw(position), draw(st.integers(1, 40))
    if way == "cut":
        return whole[:at]
    if way == "flip":
        for place, change in draw(st.lists(st.tuples(position, st.integers(1, 255)), min_size=1, max_size=4)):
            content[place] ^= change
    if way == "fill":
        content[at : at + n] = bytes([draw(st.sampled_from([0, 0x80, 0xFF]))]) * len(content[at : at + n])
    if way == "lose":
        del content[at : at + n]
    if way == "gain":
        content[at:at] = draw(st.binary(min_size=1, max_size=40))
    return bytes(content)


def is_right(got: Arrays, whole: Arrays, stream: bool) -> bool:
    """Whether what was read is what was written; of a stream, its first rows."""
    if got.keys() != whole.keys():
        return False
    pairs = [(got[k], v[: len(got[k])] if stream else v) for k, v in whole.items()]
    return all(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in pairs)


def main(name: str, folder: Path) -> None:
    """Tries them, and says how many were read and refused."""
    set_hypothesis_home_dir(folder / "hypothesis")
    kind, counts = KINDS[name], {"read": 0, "refused": 0}
    kind.make(folder)
    path = folder / kind.file
    whole, expected = path.read_bytes(), kind.read(path)
    (folder / "damaged").mkdir()
    for other in folder.iterdir():
        if other.is_file():
            shutil.copy(other, folder / "damaged")

    @hypothesis.settings(max_examples=kind.n_cases, database=None, deadline=None, derandomize=True)
    @hypothesis.given(damaged(whole))
    def check(content: bytes) -> None:
        target = folder / "damaged" / kind.file
        target.write_bytes(content)
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        try:
            got = kind.read(target)
        except UserError as error:
            counts["refused"] += 1
            if "\n" in str(error):
                raise ValueError("more than a line") from error
            return
        finally:
            faulthandler.cancel_dump_traceback_later()
        counts["read"] += 1
        assert not kind.checked or is_right(got, expected, kind.stream)

    check()
    print(f"{counts['read'] + counts['refused']} {counts['read']} {counts['refused']}")


if __name__ == "__main__":
    if sys.argv[1] == "flagfile":
        import scripts.train  # noqa: F401  (defines the flags)
    main(sys.argv[1], Path(sys.argv[2]))

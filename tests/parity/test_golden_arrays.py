"""Golden files are what they claim to be, and a broken one cannot pass unseen."""

import numpy as np
import pytest

from tests.parity import golden_arrays as ga


@pytest.mark.parametrize("path", ga.all_files(), ids=lambda path: path.stem)
def test_every_file_is_readable_and_of_a_known_kind(path):
    golden = ga.load(path)
    assert ga.kind_of(golden.meta) in ga.KINDS
    assert golden.arrays


def test_a_missing_folder_and_a_broken_file_fail(tmp_path, monkeypatch):
    monkeypatch.setenv("PARITY_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        ga.golden_files("scae")
    (tmp_path / "broken.npz").write_bytes(b"not a zip")
    monkeypatch.setenv("PARITY_DIR", str(tmp_path))
    with pytest.raises(ValueError, match=r"broken\.npz"):
        ga.golden_files("scae")


def test_comparisons_notice_a_difference():
    values = np.linspace(-1.0, 2.0, 3000, dtype=np.float32)
    golden = ga.Golden(
        {},
        {
            "small": values[:10],
            "count": np.array([1, 2]),
            "large/digest": ga.digest("large", values),
            "large/sample": ga.sample("large", values, 256),
            "grad/w": ga.norm_and_projection("w", values),
            "gradsample/w": ga.sample("w", values, 64),
        },
    )
    off = values.copy()
    off[7] += 1e-2
    for key, right, wrong in [
        ("small", values[:10], off[:10]),
        ("count", [1, 2], [1, 3]),
        ("large", values, off),
    ]:
        ga.assert_output(golden, key, right)
        with pytest.raises(AssertionError, match=key):
            ga.assert_output(golden, key, wrong)
    with pytest.raises(AssertionError, match="shape"):
        ga.assert_output(golden, "small", values[:9])
    with pytest.raises(AssertionError, match="nan"):
        ga.assert_output(golden, "small", np.full(10, np.nan))
    ga.assert_projected(golden, "grad/w", "w", values, sample_key="gradsample/w")
    with pytest.raises(AssertionError, match="grad/w"):
        ga.assert_projected(golden, "grad/w", "w", off + 1e-3, sample_key="gradsample/w")
    ga.assert_gradient(golden, "small", values[:10])
    with pytest.raises(AssertionError, match="small"):
        ga.assert_gradient(golden, "small", off[:10])
    ga.assert_mode(golden, "large", off)
    with pytest.raises(AssertionError, match="pixels"):
        ga.assert_mode(golden, "large", values + 1.0)

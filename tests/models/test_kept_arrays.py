"""Arrays that are kept: they come back, and what could not be written whole leaves no file."""

from pathlib import Path

import numpy as np
import pytest

from pneumoscreen.models import atomic_files
from pneumoscreen.models.atomic_files import write_arrays


@pytest.mark.parametrize("is_compressed", [False, True])
def test_they_come_back_and_the_folder_is_made(tmp_path: Path, is_compressed: bool) -> None:
    path = tmp_path / "a" / "b.npz"
    arrays = {"some": np.arange(6, dtype=np.uint8).reshape(2, 3), "names": np.array(["x", "y"])}
    write_arrays(path, arrays, is_compressed)
    with np.load(path, allow_pickle=False) as held:
        assert set(held.files) == set(arrays)
        for name, values in arrays.items():
            np.testing.assert_array_equal(held[name], values)
            assert held[name].dtype == values.dtype


def test_a_write_that_fails_leaves_the_file_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "b.npz"
    write_arrays(path, {"some": np.zeros(3)})
    before = path.read_bytes()

    def fail(*_args: object, **_more: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(atomic_files.np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        write_arrays(path, {"some": np.ones(3)})
    assert [each.name for each in tmp_path.iterdir()] == ["b.npz"]
    assert path.read_bytes() == before

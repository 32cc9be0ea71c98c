"""Compressed DICOM pixels are decoded in a process that may die: one sentence, and the next file is read."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from pneumoscreen.images import gdcm, read_volume
from pneumoscreen.images.faults import DamagedError, DimensionError
from pneumoscreen.images.radiograph_reader import read_radiograph_file
from pneumoscreen.limits import variable_of

_LOSSLESS_FRAME = b"\xff\xc3"


def damage(path: Path) -> bytes:
    """Let a lossless JPEG claim 128 bits a value, over which GDCM reads memory that is not there; the sound bytes."""
    sound = path.read_bytes()
    changed = bytearray(sound)
    changed[sound.index(_LOSSLESS_FRAME) + 4] = 128
    path.write_bytes(bytes(changed))
    return sound


@pytest.fixture
def series(tmp_path, chest, files) -> Path:
    folder = files.series(tmp_path / "ct", chest)
    files.recompress(folder, "JPEG")
    return folder


def test_a_file_over_which_the_decoder_dies_costs_its_scan_only(series: Path, capfd) -> None:
    wanted = read_volume(series).hu
    path = sorted(series.iterdir())[3]
    sound = damage(path)
    with pytest.raises(DamagedError, match=r"ct holds damaged pixels, over which the decoder ended; copy it again"):
        read_volume(series)
    path.write_bytes(sound)
    assert np.array_equal(read_volume(series).hu, wanted)
    assert capfd.readouterr().err == ""


def test_a_compressed_x_ray_over_which_the_decoder_dies_is_refused(series: Path) -> None:
    path = sorted(series.iterdir())[3]
    damage(path)
    film = pydicom.dcmread(path)
    film.Modality, film.file_meta.MediaStorageSOPClassUID = "DX", "1.2.840.10008.5.1.4.1.1.1.1"
    film.SOPClassUID, film.Rows, film.Columns = film.file_meta.MediaStorageSOPClassUID, 80, 80
    film.save_as(path)
    with pytest.raises(DamagedError, match="pixels that cannot be decoded"):
        read_radiograph_file(path)


def test_a_process_that_was_killed_while_it_waited_is_replaced(series: Path) -> None:
    read_volume(series)
    (child,) = gdcm._children._idle
    child._process.kill()
    child._process.wait()
    assert read_volume(series).hu.shape[0] == len(list(series.iterdir()))


def test_a_decoding_that_takes_too_long_is_ended(series: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gdcm, "_PATIENCE", 0)
    with pytest.raises(DimensionError, match=f"takes too long to decode.*{variable_of('read_seconds')}"):
        read_volume(series)
    monkeypatch.undo()
    assert read_volume(series).hu.shape[0] == len(list(series.iterdir()))


def test_files_of_other_shapes_and_types_keep_theirs(tmp_path, chest: NDArray[np.int16], files) -> None:
    small, large = files.series(tmp_path / "small", chest[:, ::2, ::2]), files.series(tmp_path / "large", chest)
    for folder in (small, large):
        files.recompress(folder, "RLE")
    paths = [sorted(small.iterdir())[0], sorted(large.iterdir())[0]]
    found = gdcm.decode_compressed(paths, "both")
    for pixels, path in zip(found, paths, strict=True):
        assert np.array_equal(pixels, gdcm.decode_by_gdcm(path))
    assert found[0].shape != found[1].shape

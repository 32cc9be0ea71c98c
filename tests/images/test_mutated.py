"""Mutated files end in a ``Volume`` or in one of our own errors, whatever was done to them, and in silence."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.images import Input, Volume, find_inputs, read_input, read_volume

rounds = pytest.mark.parametrize("rounds", [16, pytest.param(400, marks=pytest.mark.slow)])


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Truncate, zero a block, or set bytes; half of the time within the header."""
    changed = bytearray(data)
    end = min(len(changed), 700) if rng.random() < 0.6 else len(changed)
    kind = rng.integers(4)
    start = int(rng.integers(end))
    if kind == 0:
        return bytes(changed[:start])
    if kind == 1:
        length = int(rng.integers(1, 400))
        changed[start : start + length] = bytes(len(changed[start : start + length]))
    elif kind == 2:
        for position in rng.integers(0, end, rng.integers(1, 12)):
            changed[position] = rng.integers(256)
    else:
        # Digits into digits: the header stays readable and lies.
        digits = [i for i in range(end) if 48 <= changed[i] < 58] or [start]
        for position in rng.choice(digits, rng.integers(1, 4)):
            changed[position] = 48 + rng.integers(10)
    return bytes(changed)


def outcome(read: Callable[[], Volume]) -> str:
    try:
        volume = read()
    except PneumoScreenError as error:
        message = str(error)
        assert "Mustermann" not in message
        assert "Error" not in message
        assert ";" in message
        return "refused"
    assert volume.hu.dtype == np.int16
    assert volume.hu.min() >= -1024
    assert volume.hu.shape[0] >= 8
    assert min(volume.spacing_mm) > 0
    assert np.isfinite(volume.direction).all()
    volume.image_info()
    return "read"


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [("nii", False), ("nii.gz", True), ("nrrd", False), ("nrrd", True), ("mha", False), ("mha", True)],
)
@rounds
def test_mutated_volume_files(tmp_path, chest, files, suffix, compress, capfd, rounds):
    path = files.image(tmp_path / f"ct.{suffix}", chest, "RAS", compress=compress)
    whole = path.read_bytes()
    rng = np.random.default_rng(7)
    outcomes = set()
    for _ in range(rounds):
        path.write_bytes(mutate(whole, rng))
        outcomes.add(outcome(lambda: read_volume(path)))
    assert "refused" in outcomes
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("compressor", [None, "JPEG", "JPEG2000", "RLE"])
@rounds
def test_mutated_dicom_series(tmp_path, chest, files, compressor, capfd, recwarn, rounds):
    folder = files.series(tmp_path / "ct", chest)
    if compressor:
        files.recompress(folder, compressor)
    paths = sorted(folder.iterdir())
    whole = {path: path.read_bytes() for path in paths}
    rng = np.random.default_rng(11)
    outcomes = set()
    recwarn.clear()
    for _ in range(rounds):
        path = paths[int(rng.integers(len(paths)))]
        path.write_bytes(mutate(whole[path], rng))
        outcomes.add(outcome(lambda: read_volume(folder)))
        path.write_bytes(whole[path])
    assert "refused" in outcomes
    assert capfd.readouterr().err == ""
    assert [str(w.message) for w in recwarn] == []


@rounds
def test_mutated_multi_frame_file(tmp_path, chest, files, capfd, rounds):
    path = files.enhanced(tmp_path / "multi.dcm", chest, list(range(12)), [-1024.0] * 12)
    whole = path.read_bytes()
    rng = np.random.default_rng(13)
    outcomes = set()
    for _ in range(rounds):
        path.write_bytes(mutate(whole, rng))
        outcomes.add(outcome(lambda: read_volume(path)))
    assert "refused" in outcomes
    assert capfd.readouterr().err == ""


def test_folder_with_mutated_files_finds_and_reads_the_rest(tmp_path, chest, files):
    rng = np.random.default_rng(17)
    good = files.image(tmp_path / "good.nii.gz", chest)
    for k in range(20):
        (tmp_path / f"bad{k}.nii.gz").write_bytes(mutate(good.read_bytes(), rng))
    found = find_inputs([Path(tmp_path)])
    assert all(isinstance(item, Input) for item in found)
    outcomes = [outcome(lambda item=item: read_input(item)) for item in found]
    assert outcomes[-1] == "read"
    assert outcomes.count("refused") > 10

"""Reading in a process with limits: the same images, and nothing that a file does costs more than its own request."""

import gzip
import os
import re
import signal
import threading
from dataclasses import fields
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import requests
import SimpleITK as sitk

from pneumoscreen.cxr.method import METHOD as CXR
from pneumoscreen.errors import Cancelled, ImageError
from pneumoscreen.images.faults import AbsentError, DamagedError, DimensionError, MissingSlicesError, NotCTError
from pneumoscreen.limits import Limits
from pneumoscreen.server.store.reading import LimitedReading, OversteppedError, Reading
from pneumoscreen.server.store.unpacking import ArchiveLimits, LargeArchiveError
from pneumoscreen.subprocesses.serving import is_out_of_memory

from ...images.conftest import make_chest, write_image, write_series
from ...images.radiographs import write_dataset
from ..conftest import RunningServer
from .test_unpacking import CONTENT, written, zip_of_files


@pytest.fixture(scope="module")
def reading():
    """Reading with limits that every file of these tests keeps."""
    found = LimitedReading(Limits(read_memory_mb=1024, read_seconds=600))
    yield found
    found.close()


def assert_same(ours: Any, others: Any) -> None:
    assert type(ours) is type(others)
    for field in fields(ours):
        here, there = getattr(ours, field.name), getattr(others, field.name)
        if isinstance(there, np.ndarray):
            assert here.dtype == there.dtype
            np.testing.assert_array_equal(here, there)
        else:
            assert here == there, field.name
            assert type(here) is type(there), field.name


def test_a_ct_is_the_same(tmp_path: Path, reading: LimitedReading) -> None:
    for path in (
        write_image(tmp_path / "张三.nii.gz", make_chest(), "PIR"),
        write_image(tmp_path / "a.mha", make_chest().astype(np.float64)),
        write_series(tmp_path / "series", make_chest()),
    ):
        assert_same(reading.volume(path, tmp_path), Reading().volume(path, tmp_path))
        assert reading.modality(path) == "CT"


def test_a_radiograph_is_the_same(tmp_path: Path, reading: LimitedReading) -> None:
    path = write_dataset(tmp_path / "a.dcm")
    assert_same(reading.image(CXR, path), Reading().image(CXR, path))
    assert reading.modality(path) == "CXR"
    assert reading.is_single_image(path)
    assert not reading.is_single_image(next(write_series(tmp_path / "series", make_chest()).iterdir()))


@pytest.mark.parametrize("kind", ["uint8", "int16", "float32"])
def test_values_of_a_label_map_are_the_same(tmp_path: Path, reading: LimitedReading, kind: str) -> None:
    path = write_image(tmp_path / "a.nrrd", (make_chest() > 0).astype(kind), "RAS")
    assert_same(reading.raw(path), Reading().raw(path))


def test_refusals_are_of_the_same_type(tmp_path: Path, reading: LimitedReading) -> None:
    (tmp_path / "bad.nii").write_bytes(b"no image" * 100)
    gap = write_series(tmp_path / "gap", make_chest())
    next(iter(sorted(gap.iterdir())[5:])).unlink()
    flat = write_image(tmp_path / "flat.nrrd", np.zeros((12, 40, 48), np.int16))
    for path, kind in [
        (tmp_path / "bad.nii", DamagedError),
        (tmp_path / "absent.nii", AbsentError),
        (gap, MissingSlicesError),
        (flat, NotCTError),
    ]:
        with pytest.raises(kind) as here:
            reading.volume(path)
        with pytest.raises(kind) as there:
            Reading().volume(path)
        assert str(here.value) == str(there.value)


def bomb(path: Path, shape: tuple[int, int, int]) -> Path:
    """A NIfTI of zeros, packed to a thousandth."""
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(np.float64)
    header["magic"], header["vox_offset"] = b"n+1", 352
    header.set_sform(np.eye(4), 1)
    with gzip.open(path, "wb", 1) as file:
        file.write(header.binaryblock + bytes(4))
        for _ in range(shape[2]):
            file.write(bytes(8 * shape[0] * shape[1]))
    return path


def test_a_file_that_takes_more_memory_is_refused(tmp_path: Path) -> None:
    reading = LimitedReading(Limits(read_memory_mb=256, read_seconds=600))
    try:
        with pytest.raises(DimensionError, match="memory"):
            reading.volume(bomb(tmp_path / "a.nii.gz", (512, 512, 200)))
        # The next one finds everything as it should be.
        assert reading.volume(write_image(tmp_path / "good.nii", make_chest())).hu.shape == make_chest().shape
    finally:
        reading.close()


@pytest.mark.parametrize("suffix", ["nii", "nii.gz", "nrrd", "mha", "dicom"])
def test_what_claims_more_than_is_allowed_is_refused_before_it_is_decoded(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = np.tile(make_chest(), (1, 5, 5))  # 1.1 MB
    path = write_series(tmp_path / "a", large) if suffix == "dicom" else write_image(tmp_path / f"a.{suffix}", large)
    assert Reading().volume(path).hu.shape == large.shape
    monkeypatch.setenv("PNEUMOSCREEN_MAX_SCAN_MB", "1")
    with pytest.raises(DimensionError, match="PNEUMOSCREEN_MAX_SCAN_MB"):
        Reading().volume(path)


def test_frames_that_cannot_be_there_are_refused(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "a", make_chest(), NumberOfFrames=4096)
    for path in folder.iterdir():
        with pytest.raises(ImageError):
            Reading().volume(path)


def stopped(reading: LimitedReading) -> int:
    """Stop the process that would read next; it stands for every file that takes a library for ever."""
    child = reading.processes.children.taken(reading.processes.limits)
    os.kill(child._process.pid, signal.SIGSTOP)
    reading.processes.children.put_back(child)
    return child._process.pid


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_file_that_takes_too_long_is_refused(tmp_path: Path) -> None:
    reading = LimitedReading(Limits(read_seconds=1))
    pid = stopped(reading)
    with pytest.raises(OversteppedError, match="PNEUMOSCREEN_READ_SECONDS"):
        reading.volume(tmp_path / "a.nii")
    assert not is_alive(pid)


def test_a_file_that_takes_too_much_of_the_processor_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'pneumoscreen.server.store.reading_process' in ' '.join(sys.orig_argv):\n"
        "    import nibabel\n"
        "    class Endless(nibabel.Nifti1Header):\n"
        "        def __init__(self, *_, **__):\n"
        "            while True: pass\n"
        "    nibabel.Nifti1Header = Endless\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    reading = LimitedReading(Limits(read_seconds=1))
    with pytest.raises(OversteppedError, match="PNEUMOSCREEN_READ_SECONDS"):
        reading.volume(write_image(tmp_path / "a.nii", make_chest()))


def test_a_cancelled_reading_ends_at_once(tmp_path: Path) -> None:
    reading = LimitedReading(Limits(read_seconds=600))
    pid, asked = stopped(reading), []

    def check() -> None:
        asked.append(None)
        if len(asked) > 3:
            raise Cancelled("by its reader")

    with pytest.raises(Cancelled):
        reading.volume(tmp_path / "a.nii", check=check)
    assert not is_alive(pid)


def test_a_process_that_dies_costs_one_reading(tmp_path: Path) -> None:
    reading = LimitedReading(Limits(read_seconds=600))
    path = write_image(tmp_path / "good.nii", make_chest())
    pid = stopped(reading)
    timer = threading.Timer(0.5, os.kill, (pid, signal.SIGKILL))
    timer.start()
    with pytest.raises(OversteppedError, match="ended"):
        reading.volume(path)
    assert reading.volume(path).hu.shape == make_chest().shape
    reading.close()


def test_archives_are_unpacked_there_too(tmp_path: Path, reading: LimitedReading) -> None:
    (tmp_path / "inner").mkdir()
    reading.unpack(zip_of_files(tmp_path / "a.zip", CONTENT), tmp_path / "inner", ArchiveLimits(100, 1 << 20))
    assert written(tmp_path / "inner") == CONTENT
    (tmp_path / "other").mkdir()
    with pytest.raises(LargeArchiveError, match="2 entries"):
        reading.unpack(tmp_path / "a.zip", tmp_path / "other", ArchiveLimits(2, 1 << 20))


@pytest.mark.parametrize("bad", ["1e308", "1e155", "nan", "3"])
def test_a_matrix_without_end_costs_its_own_request_only(server: RunningServer, tmp_path: Path, bad: str) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(make_chest()), str(tmp_path / "a.mha"))
    content = (tmp_path / "a.mha").read_bytes()
    content = re.sub(rb"TransformMatrix = [^\n]*", f"TransformMatrix = 1 0 0 0 1 0 {bad} 0 1".encode(), content)
    address = server.client.address
    answer = requests.post(
        f"{address}/infer/ct_screening", params={"output": "json"}, files={"file": ("a.mha", content)}, timeout=120
    )
    assert answer.status_code == 422, answer.text
    label = requests.put(
        f"{address}/datastore/label", params={"image": "upright"}, files={"label": ("a.mha", content)}, timeout=120
    )
    assert label.status_code == 422, label.text
    assert server.client.infer("ct_candidates", "upright", output="json").document["case_id"] == "upright"


def test_a_library_that_finds_no_memory_says_so_in_its_own_way() -> None:
    with pytest.raises(RuntimeError) as caught:
        sitk.Image([1 << 20, 1 << 20, 1 << 10], sitk.sitkFloat64)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("something else"))

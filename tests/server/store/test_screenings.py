"""The last screening of an image: kept, replaced, and never in the way."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from pneumoscreen.case import ModelInfo
from pneumoscreen.server.store.screenings import (
    all_screenings,
    drop_screening,
    keep_screening,
    last_screening,
    screened_at,
    screened_images,
    shown_regions,
)
from pneumoscreen.verdict import DEFAULT_CLASSES, Classes

from ...studies.conftest import document


def label_map(path: Path, *values: int) -> Path:
    array = np.zeros((2, 4, 4), np.uint8)
    array.flat[: len(values)] = values
    sitk.WriteImage(sitk.GetImageFromArray(array), path)
    return path


def test_the_newest_screening_stands_for_an_image(tmp_path: Path) -> None:
    work = tmp_path / "work"
    assert (last_screening(work, "ct-1", DEFAULT_CLASSES), screened_at(work, "ct-1")) == (None, None)
    assert shown_regions(work, "ct-1") is None
    keep_screening(work, document(), label_map(tmp_path / "a.nii.gz", 1, 3))
    assert last_screening(work, "ct-1", DEFAULT_CLASSES) == document()
    assert (screened_at(work, "ct-1") or "").endswith("Z")
    assert shown_regions(work, "ct-1") == {1, 3}
    newer = document(label="irrelevant")
    keep_screening(work, newer, label_map(tmp_path / "b.nrrd", 2))
    assert last_screening(work, "ct-1", DEFAULT_CLASSES) == newer
    assert shown_regions(work, "ct-1") == {2}, "the older map has another ending and is gone"
    keep_screening(work, newer, None)
    assert shown_regions(work, "ct-1") is None


def test_the_last_screening_by_each_set_of_models_is_kept(tmp_path: Path) -> None:
    old = replace(document(), models={"ct_classifier": ModelInfo(4, "04")})
    newer = replace(document(label="irrelevant"), models={"ct_classifier": ModelInfo(5, "05")})
    keep_screening(tmp_path, replace(old, notes=("first",)), None)
    keep_screening(tmp_path, old, None)
    kept_at = screened_at(tmp_path, "ct-1")
    keep_screening(tmp_path, newer, None)
    assert all_screenings(tmp_path, "ct-1", DEFAULT_CLASSES) == [
        (newer, screened_at(tmp_path, "ct-1")),
        (old, kept_at),
    ]
    assert screened_images(tmp_path) == {"ct-1"}
    assert (
        all_screenings(tmp_path, "ct-1", Classes(("rsv",))) == all_screenings(tmp_path, "../x", DEFAULT_CLASSES) == []
    )
    (tmp_path / "screenings" / "ct-1.json").write_bytes(b"{")
    assert all_screenings(tmp_path, "ct-1", DEFAULT_CLASSES) == [(old, kept_at)]
    drop_screening(tmp_path, "ct-1")
    assert all_screenings(tmp_path, "ct-1", DEFAULT_CLASSES) == []


def test_what_cannot_be_used_is_as_good_as_absent(tmp_path: Path) -> None:
    keep_screening(tmp_path, document(), label_map(tmp_path / "a.nrrd", 1))
    assert last_screening(tmp_path, "ct-1", Classes(("rsv",))) is None
    (tmp_path / "screenings" / "ct-1.json").write_bytes(b"\xff{")
    (tmp_path / "screenings" / "ct-1.nrrd").write_bytes(b"NRRD")
    assert last_screening(tmp_path, "ct-1", DEFAULT_CLASSES) is None
    assert shown_regions(tmp_path, "ct-1") is None
    for name in ("../screenings/ct-1", "..", "/etc/passwd"):
        assert last_screening(tmp_path, name, DEFAULT_CLASSES) is None
        assert screened_at(tmp_path, name) is None and shown_regions(tmp_path, name) is None


def test_an_odd_id_or_a_full_disk_costs_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keep_screening(tmp_path / "work", replace(document(), case_id="../up"), None)
    assert not list(tmp_path.iterdir())

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    keep_screening(tmp_path / "work", document(), None)
    assert "No space left on device" in caplog.text and "ct-1" not in caplog.text.replace(str(tmp_path), "")

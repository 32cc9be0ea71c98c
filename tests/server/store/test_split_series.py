"""Series in several folders and images in sub-folders of the studies (split_series, image_files)."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from pneumoscreen.images import Input, find_inputs
from pneumoscreen.server.inference.engine import fingerprint
from pneumoscreen.server.store.datastore import StudiesDatastore
from pneumoscreen.server.store.reading import LimitedReading, Reading
from pneumoscreen.server.store.split_series import SplitSeries
from pneumoscreen.studies.cases import find_scans

from ...images.conftest import make_chest, make_slice, write_series
from ...studies.conftest import document

CHEST = make_chest()


def split(folder: Path, *names: str) -> list[Path]:
    """A series of which each folder holds a part; the slices have the same names in each."""
    series = write_series(folder / "whole", CHEST)
    places = [folder / name for name in names]
    for number, path in enumerate(sorted(series.iterdir())):
        places[number % len(names)].mkdir(parents=True, exist_ok=True)
        path.rename(places[number % len(names)] / f"IM{number // len(names)}")
    series.rmdir()
    return places


@pytest.mark.parametrize("names", [("000001", "000002"), ("p/st/000001", "p/st/000002", "p/st/000003")])
def test_a_series_in_several_folders_is_one_image(tmp_path: Path, names: tuple[str, ...]) -> None:
    places = split(tmp_path, *names)
    other = write_series(tmp_path / "other", CHEST[::-1])
    reading = LimitedReading()
    try:
        datastore = StudiesDatastore(str(tmp_path), reading=reading)
        paths = {Path(datastore.get_image_uri(name)) for name in datastore.list_images()}
        assert paths == {places[0], other}
        volume = reading.volume(places[0], tmp_path)
        np.testing.assert_array_equal(volume.hu, CHEST)
        assert f"The series lies in {len(names)} folders; they were read as one." in volume.notes
        np.testing.assert_array_equal(reading.volume(other, tmp_path).hu, CHEST[::-1])
    finally:
        reading.close()
    # Training finds it by the same name.
    assert {study.case_id for study in find_scans(tmp_path)} == set(datastore.list_images())


def test_a_part_that_comes_later_joins_and_one_that_goes_is_missed(tmp_path: Path) -> None:
    first, second = split(tmp_path / "studies", "000001", "000002")
    second.rename(tmp_path / "later")
    reading = Reading()
    datastore = StudiesDatastore(str(tmp_path / "studies"), reading=reading)
    before = fingerprint(first, *reading.more_of(first))
    assert datastore.list_images() == ["000001"] and reading.more_of(first) == ()
    (tmp_path / "later").rename(second)
    datastore.refresh()
    assert datastore.list_images() == ["000001"] and reading.more_of(first) == (second,)
    assert fingerprint(first, *reading.more_of(first)) != before
    shutil.rmtree(first)
    datastore.refresh()
    assert datastore.list_images() == ["000002"] and reading.more_of(second) == ()


def test_a_damaged_slice_does_not_make_two_images_of_a_series(tmp_path: Path) -> None:
    first, second = split(tmp_path, "000001", "000002")
    victim = sorted(second.iterdir())[0]
    victim.write_bytes(victim.read_bytes()[:300] + bytes(3000))
    assert StudiesDatastore(str(tmp_path)).list_images() == ["000001"]
    assert first.is_dir()


def test_whole_copies_of_a_series_stay_images(tmp_path: Path) -> None:
    series = write_series(tmp_path / "a", CHEST)
    shutil.copytree(series, tmp_path / "b")
    assert sorted(StudiesDatastore(str(tmp_path)).list_images()) == ["a", "b"]


def test_headers_are_parsed_only_where_folders_may_belong_together(tmp_path: Path) -> None:
    asked: list[list[str]] = []

    def join(folders: object) -> list[list[Path]]:
        asked.append([path.name for path in folders])  # type: ignore[attr-defined]
        return []

    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        slice_ = make_slice(CHEST, 0, "1.2.3.4.5" if name != "c" else "1.2.3.4.6")
        slice_.save_as(tmp_path / name / "1.dcm", write_like_original=False)
    series = SplitSeries(join)
    for _ in range(2):
        assert series.among([tmp_path / name for name in ("a", "b", "c")]) == []
    assert asked == [["a", "b"]]


def test_the_data_set_holds_all_files_of_a_series_in_several_folders(tmp_path: Path) -> None:
    split(tmp_path, "000001", "000002")
    datastore = StudiesDatastore(str(tmp_path))
    datastore.submit("000001", document("000001").to_json().encode())
    path = Path(datastore.get_dataset_archive(None))
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "out")
    path.unlink()
    (given,) = find_inputs([tmp_path / "out" / "image"])
    assert isinstance(given, Input) and len(given.headers) == len(CHEST)


def test_volumes_and_pictures_in_sub_folders_are_images(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(np.zeros((8, 16, 16), np.int16))
    picture = sitk.GetImageFromArray(np.zeros((16, 16), np.uint8))
    for name in ("p1/ct.nii.gz", "p2/deep/ct.nii.gz", "p2/top.mha", "labels/final/x.nii.gz", "annotations/a/x.nii.gz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(image, tmp_path / name)
    for name in ("xrays/1.png", "p1/shot.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        sitk.WriteImage(picture, tmp_path / name)
    datastore = StudiesDatastore(str(tmp_path))
    places = {name: Path(datastore.get_image_uri(name)) for name in datastore.list_images()}
    assert {path.relative_to(tmp_path).as_posix() for path in places.values()} == {
        "p1/ct.nii.gz",
        "p2/deep/ct.nii.gz",
        "p2/top.mha",
        "xrays/1.png",
    }
    assert sorted(name.rpartition("_t")[0] for name in places) == ["p1", "p2", "p2", "xrays"]
    assert any("pictures are not offered" in reason for reason in datastore._files.allowed.passed_over.values())
    name = next(name for name in places if name.startswith("p1"))
    datastore.submit(name, document(name).to_json().encode())
    again = StudiesDatastore(str(tmp_path))
    assert {name: Path(again.get_image_uri(name)) for name in again.list_images()} == places
    archived = Path(again.get_dataset_archive(None))
    with zipfile.ZipFile(archived) as archive:
        assert f"image/{name}.nii.gz" in archive.namelist()
    archived.unlink()
    assert name in {study.case_id for study in find_scans(tmp_path)}

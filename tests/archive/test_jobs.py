"""What lies in a source, found folder by folder."""

import os
import shutil
from pathlib import Path

import pytest
from tests.images.conftest import make_chest, write_series

from pneumoscreen.archive.jobs import Job, NoJob, jobs_of, sources_of
from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.images.inputs import Input, find_inputs


@pytest.fixture
def tree(tmp_path: Path, studies: Path) -> Path:
    root = tmp_path / "archive"
    for place in ("one.nii.gz", "ward/two.nii.gz", "ward/deep/three.nii.gz"):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(studies / "phantom-000001.nii.gz", root / place)
    (root / "ward" / "empty.dcm").write_bytes(b"")
    (root / "ward" / "labels").mkdir()
    write_series(root / "dicom", make_chest())
    return root


def test_every_image_is_a_job_with_its_place(tree: Path) -> None:
    found = list(jobs_of([tree]))
    assert sorted(job.place for job in found if isinstance(job, Job)) == [
        "archive/dicom", "archive/one.nii.gz", "archive/ward/deep/three.nii.gz", "archive/ward/two.nii.gz",
    ]  # fmt: skip
    (refused,) = [job for job in found if isinstance(job, NoJob)]
    assert refused.place == "archive/ward/empty.dcm"
    assert "is damaged or no DICOM file" in refused.reason
    assert len({job.key for job in found}) == len(found)


def test_the_parts_hold_what_the_whole_search_finds(tree: Path) -> None:
    whole = {(item.path, item.series_uid, item.place) for item in find_inputs([tree]) if isinstance(item, Input)}
    parts = {(job.item.path, job.item.series_uid, job.item.place) for job in jobs_of([tree]) if isinstance(job, Job)}
    assert parts == whole


def test_keys_stay_and_stamps_change_with_the_files(tree: Path) -> None:
    before = {job.place: job for job in jobs_of([tree])}
    os.utime(tree / "one.nii.gz", ns=(1, 1))
    after = {job.place: job for job in jobs_of([tree])}
    changed = {place for place in before if before[place].stamp != after[place].stamp}
    assert changed == {"archive/one.nii.gz"}
    assert {place: job.key for place, job in before.items()} == {place: job.key for place, job in after.items()}


def test_an_image_that_is_named_twice_is_one_job(tree: Path) -> None:
    found = [job for job in jobs_of([tree, tree / "ward", tree / "ward" / "two.nii.gz"]) if isinstance(job, Job)]
    assert len(found) == 4


def test_a_list_names_sources_beside_it(tree: Path) -> None:
    listed = tree.parent / "list.txt"
    listed.write_text("# those of today\narchive/one.nii.gz\n\narchive/ward/deep\n", encoding="utf-8")
    assert sources_of([listed]) == [tree / "one.nii.gz", tree / "ward" / "deep"]
    listed.write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(PneumoScreenError, match="names no path"):
        sources_of([listed])
    with pytest.raises(PneumoScreenError, match="does not exist"):
        sources_of([tree / "gone"])


def test_names_are_hidden(tree: Path) -> None:
    places = [job.place for job in jobs_of([tree], anonymous=True)]
    assert not any("ward" in place or "one" in place for place in places)
    assert len(set(places)) == 5

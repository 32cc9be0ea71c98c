"""What an import does to a studies folder: never twice, never over a reader's work, never by halves."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from pneumoscreen.ct.phantoms.phantom import Phantom
from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.images.volume import LEFT, RIGHT
from pneumoscreen.importers.outcomes import Action
from pneumoscreen.studies.annotations import AnnotationStore
from pneumoscreen.studies.audit import AuditLog
from pneumoscreen.studies.cases import find_studies

from .conftest import Imported, ball, write, write_dicom


@pytest.fixture
def source(covid: Phantom, tmp_path: Path) -> Path:
    """One scan with a mask in the left lung."""
    folder = tmp_path / "in"
    write(folder / "a.nii.gz", covid, covid.volume.hu)
    write(folder / "a_mask.nii.gz", covid, ball(covid, LEFT))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "lock" not in path.name
    }


def test_a_second_import_changes_nothing(source: Path, run_import: Callable[..., Imported]) -> None:
    first = run_import(source, diagnosis="covid19")
    before = contents(first.studies)
    assert run_import(source, diagnosis="covid19").actions() == {"a": "unchanged"}
    assert contents(first.studies) == before
    versions = AnnotationStore(first.studies).versions("a")
    assert [(v.kind, v.reader) for v in versions] == [("import", "import")]
    entries = list(AuditLog(first.studies).entries())
    assert [(e["action"], e["speaker"]) for e in entries] == [("import", "import")]


def test_other_marks_are_a_new_version(source: Path, covid: Phantom, run_import: Callable[..., Imported]) -> None:
    imported = run_import(source, diagnosis="covid19")
    write(source / "a_mask.nii.gz", covid, ball(covid, RIGHT))
    assert run_import(source, diagnosis="covid19").actions() == {"a": "updated"}
    assert [r.side for r in imported.document("a").regions] == ["right"]
    case = imported.load("a")
    assert case.infection is not None and np.array_equal(case.infection, ball(covid, RIGHT))
    store = AnnotationStore(imported.studies)
    assert [v.document.regions[0].side for v in store.versions("a")] == ["left", "right"], "nothing is lost"
    kept = store.label_map(store.version("a", 1))
    assert kept is not None and kept.is_file(), "with the mask that it speaks of"


def test_masks_lost_in_a_crash_come_back(source: Path, run_import: Callable[..., Imported]) -> None:
    imported = run_import(source, diagnosis="covid19")
    mask = imported.studies / "labels" / "lesions" / "a.nii.gz"
    mask.unlink()
    assert run_import(source, diagnosis="covid19").actions() == {"a": "unchanged"}
    assert mask.is_file() and len(AnnotationStore(imported.studies).versions("a")) == 1


def test_a_readers_work_is_left_alone(source: Path, covid: Phantom, run_import: Callable[..., Imported]) -> None:
    imported = run_import(source, diagnosis="covid19")
    store = AnnotationStore(imported.studies)
    store.submit(replace(imported.document("a"), regions=()), "reader-a")
    write(source / "a_mask.nii.gz", covid, ball(covid, RIGHT))
    before = contents(imported.studies)
    second = run_import(source, diagnosis="covid19")
    assert second.actions() == {"a": "kept"} and "reader-a" in second.reasons()[0]
    assert contents(imported.studies) == before


def test_a_label_older_than_the_store_is_left_alone(
    source: Path, covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    elsewhere = run_import(source, diagnosis="covid19", reader="old-hand", studies=tmp_path / "old")
    for name in ("a.nii.gz", "labels/final/a.json"):
        target = tmp_path / "studies" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((elsewhere.studies / name).read_bytes())
    before = contents(tmp_path / "studies")
    imported = run_import(source, diagnosis="covid19")
    assert imported.actions() == {"a": "kept"} and "old-hand" in imported.reasons()[0]
    assert contents(tmp_path / "studies") == before


@pytest.mark.parametrize("there", ["a.nii.gz", "A.nii.gz", "a.nrrd", "a"])
def test_another_scan_of_the_same_name_is_refused(
    there: str, source: Path, covid: Phantom, clear: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    if there == "a":
        write_dicom(tmp_path / "studies" / there, clear)
    else:
        write(tmp_path / "studies" / there, clear, clear.volume.hu)
    before = contents(tmp_path / "studies")
    imported = run_import(source, diagnosis="covid19")
    assert imported.actions() == {"a": "refused"} and "is another scan" in imported.reasons()[0]
    assert contents(tmp_path / "studies") == before


def test_scans_of_one_name_are_told_by_their_folders(
    covid: Phantom, clear: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    source = tmp_path / "in"
    for folder, phantom, side in (("p 1", covid, LEFT), ("p 2", clear, RIGHT)):
        write(source / folder / "ct.nii.gz", phantom, phantom.volume.hu)
        write(source / folder / "ct_mask.nii.gz", phantom, ball(phantom, side))
    imported = run_import(source, diagnosis="covid19")
    assert imported.actions() == {"p_1_ct": "imported", "p_2_ct": "imported"}
    assert [imported.document(f"p_{n}_ct").regions[0].side for n in (1, 2)] == ["left", "right"], "each its own mask"
    write(source / "p 0" / "ct.nii.gz", covid, covid.volume.hu)
    again = run_import(source, diagnosis="covid19")
    assert again.actions() == {"p_0_ct": "image only", "p_1_ct": "unchanged", "p_2_ct": "unchanged"}


@pytest.mark.parametrize("name", ["annotations", "Audit", "x..y"])
def test_names_that_a_studies_folder_cannot_hold(
    name: str, covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    source = tmp_path / "in"
    write(source / f"{name}.nii.gz", covid, covid.volume.hu)
    write(source / f"{name}_mask.nii.gz", covid, ball(covid, LEFT))
    imported = run_import(source, diagnosis="covid19")
    assert list(imported.actions().values()) == ["imported"]
    assert [study.case_id for study in find_studies(imported.studies)] == list(imported.actions())


def test_a_dry_run_writes_nothing(source: Path, tmp_path: Path, run_import: Callable[..., Imported]) -> None:
    imported = run_import(source, diagnosis="covid19", dry_run=True)
    assert imported.actions() == {"a": "imported"} and imported.outcomes[0].regions == 1
    assert not (tmp_path / "studies").exists()
    run_import(source, diagnosis="covid19")
    before = contents(tmp_path / "studies")
    assert run_import(source, diagnosis="covid19", dry_run=True).actions() == {"a": "unchanged"}
    assert contents(tmp_path / "studies") == before


def test_scans_are_linked_where_wanted(source: Path, tmp_path: Path, run_import: Callable[..., Imported]) -> None:
    copied = run_import(source, diagnosis="covid19")
    linked = run_import(source, diagnosis="covid19", studies=tmp_path / "linked", link=True)
    assert not os.path.samefile(copied.studies / "a.nii.gz", source / "a.nii.gz")
    assert os.path.samefile(linked.studies / "a.nii.gz", source / "a.nii.gz")
    assert linked.document("a").image == copied.document("a").image


def test_what_a_killed_import_left_is_cleared_away(
    source: Path, covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    write_dicom(source / "b", covid)
    half = tmp_path / "studies" / ".part-b"
    half.mkdir(parents=True)
    (half / "00001.dcm").write_bytes(b"half")
    (tmp_path / "studies" / ".part-a.nii.gz").write_bytes(b"half")
    imported = run_import(source, diagnosis="covid19")
    assert imported.actions() == {"a": "imported", "b": "image only"}
    assert not list(imported.studies.glob(".part*"))
    assert len(list((imported.studies / "b").iterdir())) == len(covid.volume.hu)


def test_two_imports_at_once(source: Path, tmp_path: Path, run_import: Callable[..., Imported]) -> None:
    (tmp_path / "studies" / ".pneumoscreen").mkdir(parents=True)
    lock = FileLock(tmp_path / "studies" / ".pneumoscreen" / "import.lock")
    with lock, pytest.raises(PneumoScreenError, match="another import"):
        run_import(source, diagnosis="covid19")
    assert run_import(source, diagnosis="covid19").actions() == {"a": "imported"}


def test_patients_names_go_nowhere(covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]) -> None:
    source = tmp_path / "in"
    write_dicom(source / "Mustermann", covid, name="Mustermann", patient="Q4711Z")
    write(source / "Mustermann.seg.nrrd", covid, ball(covid, LEFT))
    imported = run_import(source, diagnosis="covid19")
    (case_id,) = imported.actions()
    assert imported.actions()[case_id] == "imported"
    names = [str(path.relative_to(imported.studies)) for path in imported.studies.rglob("*")]
    assert not [name for name in names if "muster" in name.lower()]
    assert "uster" not in imported.document(case_id).to_json() and "Q4711Z" not in imported.document(case_id).to_json()


def test_anonymous_ids_keep_patients_together(
    covid: Phantom, clear: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    source = tmp_path / "in"
    for name, phantom in (("meier_day1", covid), ("meier_day9", clear), ("huber", covid)):
        write(source / f"{name}.nii.gz", phantom, phantom.volume.hu)
        write(source / f"{name}_mask.nii.gz", phantom, ball(phantom, LEFT))
    write_dicom(source / "schmidt" / "one", covid, patient="12")
    write_dicom(source / "schmidt" / "two", clear, patient="12")
    imported = run_import(source, diagnosis="covid19", anonymous_ids=True)
    assert len(imported.outcomes) == 5 and "refused" not in imported.actions().values()
    marked = [outcome.case_id for outcome in imported.outcomes if outcome.action is Action.IMPORTED]
    hashes = {imported.document(case_id).image.source for case_id in marked}
    assert len(hashes) == 3 and all(len(str(source)) == 12 and int(str(source), 16) >= 0 for source in hashes)
    assert not any(name in case_id for case_id in imported.actions() for name in ("meier", "huber", "one", "two"))
    patients = [study.patient for study in find_studies(imported.studies)]
    assert len(patients) == 3 and len(set(patients)) == 2
    assert run_import(source, diagnosis="covid19", anonymous_ids=True).actions().keys() == imported.actions().keys()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"diagnosis": "plague"}, "--diagnosis plague"), ({"label": "x"}, "--label x"), ({"reader": "../a"}, "--reader")],
)
def test_settings_are_checked_first(
    settings: dict[str, str], reason: str, source: Path, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    with pytest.raises(PneumoScreenError, match=reason):
        run_import(source, **settings)
    assert not (tmp_path / "studies").exists()

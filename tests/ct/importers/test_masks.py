"""Masks beside scans."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pneumoscreen.ct.importers.masks import mask_of
from pneumoscreen.ct.phantoms.phantom import Phantom
from pneumoscreen.images.volume import LEFT, RIGHT
from pneumoscreen.studies.cases import find_studies

from .conftest import Imported, ball, write, write_dicom


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.nii.gz", None),
        ("unmasked.nii.gz", None),
        ("a_mask.nii.gz", ("a", False)),
        ("a-seg.nrrd", ("a", False)),
        ("a.seg.nrrd", ("a", False)),
        ("a-label.nrrd", ("a", False)),
        ("a_Infection_Mask.nii", ("a", False)),
        ("a_lung_mask.nii.gz", ("a", True)),
        ("a-lungs.mha", ("a", True)),
        ("masks/a.nii.gz", ("a", False)),
        ("labels/a.nii.gz", ("a", False)),
        ("lung_mask/a.nii.gz", ("a", True)),
        ("scans/a.nii.gz", None),
        ("p1/mask.nii.gz", ("", False)),
    ],
)
def test_names_of_masks(name: str, expected: tuple[str, bool] | None) -> None:
    assert mask_of(Path("source", name), Path("source")) == expected
    assert mask_of(Path("masks", "a.nii.gz"), Path("masks")) is None, "the source's own name makes no mask"


@pytest.mark.parametrize(
    ("scan", "mask", "orientation"),
    [
        ("a.nii.gz", "a_mask.nii.gz", "PIR"),
        ("scans/a.nrrd", "masks/a.nrrd", "RAI"),
        ("a.mha", "a-seg.nrrd", "LPS"),
        ("a.mhd", "a-label.mha", "RAI"),
        ("a.nii", "a_Mask.nii", "LAI"),
    ],
)
def test_formats_and_orientations(
    scan: str, mask: str, orientation: str, covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    write(tmp_path / "in" / scan, covid, covid.volume.hu, orientation)
    write(tmp_path / "in" / mask, covid, ball(covid, RIGHT), "LPS")
    imported = run_import(tmp_path / "in", layout="masks", diagnosis="influenza_a")
    assert imported.actions() == {"a": "imported"}
    case, document = imported.load("a"), imported.document("a")
    assert np.array_equal(case.volume.hu, covid.volume.hu)
    assert case.infection is not None and np.array_equal(case.infection, ball(covid, RIGHT))
    assert [(region.side, region.opinion) for region in document.regions] == [("right", ("influenza_a", 1.0))]
    assert document.image.sha256 == case.volume.sha256
    assert run_import(tmp_path / "in", layout="masks", diagnosis="influenza_a").actions() == {"a": "unchanged"}


def test_a_dicom_series_with_its_segmentation(
    covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    write_dicom(tmp_path / "in" / "case7", covid)
    write(tmp_path / "in" / "case7.seg.nrrd", covid, ball(covid, LEFT))
    imported = run_import(tmp_path / "in", diagnosis="covid19")
    assert imported.actions() == {"case7": "imported"}
    case = imported.load("case7")
    assert case.infection is not None and np.array_equal(case.infection, ball(covid, LEFT))


def test_lungs_come_from_their_mask(covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]) -> None:
    source = tmp_path / "in"
    write(source / "a.nii.gz", covid, covid.volume.hu)
    write(source / "a_mask.nii.gz", covid, ball(covid, LEFT))
    write(source / "a_lung_mask.nii.gz", covid, np.array([0, 9, 4], dtype=np.uint8)[covid.lungs])
    assert np.array_equal(run_import(source, diagnosis="covid19").load("a").lungs, covid.lungs)


def test_without_infection_what_is_drawn_is_irrelevant(
    clear: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    write(tmp_path / "in" / "a.nii.gz", clear, clear.volume.hu)
    write(tmp_path / "in" / "a_mask.nii.gz", clear, ball(clear, LEFT))
    document = run_import(tmp_path / "in", diagnosis="no_infection_found").document("a")
    assert document.diagnosis == "no_infection_found"
    assert [region.opinion for region in document.regions] == [("irrelevant", 1.0)]
    assert document.lungs["left"].affected_percent == 0.0


def test_a_scan_without_a_mask_is_an_image_only(
    covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    for name in ("a", "b"):
        write(tmp_path / "in" / f"{name}.nii.gz", covid, covid.volume.hu)
    write(tmp_path / "in" / "a_mask.nii.gz", covid, ball(covid, LEFT))
    imported = run_import(tmp_path / "in", diagnosis="covid19")
    assert imported.actions() == {"a": "imported", "b": "image only"}
    assert [study.case_id for study in find_studies(imported.studies)] == ["a"]
    assert run_import(tmp_path / "in", diagnosis="covid19").actions() == {"a": "unchanged", "b": "unchanged"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda mask: mask[:-1], "does not fit"),
        (lambda mask: mask * 0.5, "fractions"),
        (lambda mask: mask * np.float32(np.nan), "fractions"),
        (lambda mask: mask.astype(np.int16) * -1, "no labels"),
    ],
)
def test_a_mask_that_cannot_be_one_is_refused(
    change: Callable[[np.ndarray], np.ndarray],
    reason: str,
    covid: Phantom,
    tmp_path: Path,
    run_import: Callable[..., Imported],
) -> None:
    write(tmp_path / "in" / "a.nii.gz", covid, covid.volume.hu)
    write(tmp_path / "in" / "a_mask.nii.gz", covid, change(ball(covid, LEFT).astype(np.float32)))
    imported = run_import(tmp_path / "in", diagnosis="covid19")
    assert imported.actions() == {"a": "refused"}
    assert reason in imported.reasons()[0] and "a_mask.nii.gz" in imported.reasons()[0]


def test_a_shifted_mask_is_refused(covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]) -> None:
    x, y, z = covid.volume.origin_mm
    moved = replace(covid, volume=replace(covid.volume, origin_mm=(x + 30.0, y, z)))
    write(tmp_path / "in" / "a.nii.gz", covid, covid.volume.hu)
    write(tmp_path / "in" / "a_mask.nii.gz", moved, ball(covid, LEFT))
    assert "lies elsewhere" in run_import(tmp_path / "in", diagnosis="covid19").reasons()[0]


def test_what_cannot_be_told_is_asked_for(covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]) -> None:
    write(tmp_path / "in" / "a.nii.gz", covid, covid.volume.hu)
    write(tmp_path / "in" / "a_mask.nii.gz", covid, ball(covid, LEFT))
    write(tmp_path / "in" / "other_mask.nii.gz", covid, ball(covid, LEFT))
    no_diagnosis, no_scan = run_import(tmp_path / "in").reasons()
    assert "give --diagnosis" in no_diagnosis
    assert "other_mask.nii.gz is the mask of no scan" in no_scan


def test_a_nameless_mask_is_that_of_the_only_scan_beside_it(
    covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]
) -> None:
    for folder, side in (("p1", LEFT), ("p2", RIGHT)):
        write(tmp_path / "in" / folder / "image.nii.gz", covid, covid.volume.hu)
        write(tmp_path / "in" / folder / "mask.nii.gz", covid, ball(covid, side))
    imported = run_import(tmp_path / "in", diagnosis="covid19")
    assert imported.actions() == {"p1_image": "imported", "p2_image": "imported"}
    assert [imported.document(f"p{n}_image").regions[0].side for n in (1, 2)] == ["left", "right"]


def test_two_masks_of_one_scan_are_refused(covid: Phantom, tmp_path: Path, run_import: Callable[..., Imported]) -> None:
    write(tmp_path / "in" / "a.nii.gz", covid, covid.volume.hu)
    for name in ("a_mask.nii.gz", "a-seg.nrrd"):
        write(tmp_path / "in" / name, covid, ball(covid, LEFT))
    assert "both its mask" in run_import(tmp_path / "in", diagnosis="covid19").reasons()[0]

"""The published weights on real scans: sides, places and refusals that a radiologist's text or a box tells.

Truth: ``real_cases.csv``, ``cases.csv`` of the COVID-19 scans (their readers' texts) and the tumour boxes of the
lung-cancer scan. Which of the scans the weights have seen stands in ``configs/starter_scans.yaml``.
"""

import csv
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from pneumoscreen.ct.phantoms.phantom import PhantomSpec, generate_phantom
from pneumoscreen.ct.screening import Screener, Screening
from pneumoscreen.errors import NoLungsError
from pneumoscreen.images import read_volume
from pneumoscreen.images.volume import Volume
from pneumoscreen.models.store import ModelStore

# Sides with disease by the text of cases.csv, and the side that it calls worse.
COVID = {
    "rid74576": ({"left", "right"}, None),
    "rid74724": ({"left", "right"}, None),
    "rid74879": ({"right"}, "right"),
    "rid74880": ({"left", "right"}, None),
    "rid75281": ({"left", "right"}, None),
    "rid75329": ({"left"}, "left"),
    # The nodule on the left, faint and in a single slice of 7 mm, is not seen: the next test holds what is missed.
    "rid75329_2": ({"right"}, None),
    "rid75345": ({"left", "right"}, None),
}

# Scans on which no training of the published weights has seen anything.
UNSEEN = (
    "lidc_0314",
    "pyradiomics_lung2",
    "covidctmd_normal001",
    "covidctmd_cap001",
    "covidctmd_covid_P001",
    *(f"radiopaedia_covid19/{name}.nii.gz" for name in COVID),
)


@pytest.fixture(scope="module")
def screener() -> Screener:
    return Screener.from_store(ModelStore(), device="cpu")


def screen(screener: Screener, path: Path) -> tuple[Volume, Screening]:
    volume = read_volume(path)
    return volume, screener.screen(volume)


# One small nodule on day 5, for which the infection map says .17 at most; see docs/ct.md.
MISSED = "radiopaedia_covid19/rid75329.nii.gz"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.xfail(strict=True)) if name == MISSED else name for name in UNSEEN]
)
def test_verdict_and_lungs_of_a_scan_that_no_training_saw(name: str, screener: Screener, shared_data: Path) -> None:
    with (shared_data / "ct" / "real_cases.csv").open(encoding="utf-8") as file:
        row = next(row for row in csv.DictReader(file) if row["path"] == name)
    _, screening = screen(screener, shared_data / "ct" / name)
    case = screening.case
    assert case.verdict is not None
    infected = [region for region in case.regions if region.label != "irrelevant"]
    assert bool(infected) == (row["class"] in ("covid19", "cap")) == (case.verdict.label != "no_infection_found")
    for side in ("left", "right"):
        found = any(region.side == side for region in infected)
        if row[side] == "clear":
            assert not found, f"{side} lung is clear"
            assert case.lungs[side].affected_percent == 0.0
    assert len(case.regions) <= 20


@pytest.mark.xfail(reason="a faint nodule in one slice of 7 mm, in the infection map as less than .7 ml", strict=True)
def test_the_nodule_in_the_left_lung_of_the_second_day_is_found(screener: Screener, shared_data: Path) -> None:
    _, screening = screen(screener, shared_data / "ct" / "radiopaedia_covid19" / "rid75329_2.nii.gz")
    assert any(region.side == "left" for region in screening.case.regions if region.label != "irrelevant")


@pytest.mark.parametrize("name", [name for name in COVID if name not in MISSED])
def test_covid_scan_has_infected_regions_where_the_reader_saw_them(
    name: str, screener: Screener, shared_data: Path
) -> None:
    _, screening = screen(screener, shared_data / "ct" / "radiopaedia_covid19" / f"{name}.nii.gz")
    sides, worse = COVID[name]
    case = screening.case
    assert sides <= {region.side for region in case.regions if region.label != "irrelevant"}
    if worse is not None:
        other = "left" if worse == "right" else "right"
        assert case.lungs[worse].affected_percent > case.lungs[other].affected_percent
    assert any("HU" in note for note in case.notes)


def test_lung_cancer_scan_has_a_region_beside_its_tumour(screener: Screener, shared_data: Path) -> None:
    folder = shared_data / "ct" / "lungdx_A0001_dicom"
    volume, screening = screen(screener, folder)
    tumour = _tumour_center_mm(folder, shared_data / "ct" / "lungdx_A0001_boxes")
    assert volume.mm_to_index(tumour)[0] > 0
    at_tumour = [
        region
        for region in screening.case.regions
        # The tumour itself is no infection; the ground glass about it is marked, some millimetres from its centre.
        if (np.abs(np.array(region.center_mm) - tumour) <= np.array(region.size_mm) / 2 + 10.0).all()
    ]
    assert any(region.side == "left" for region in at_tumour)
    assert max(region.score for region in at_tumour) > 0.5


def test_scan_and_its_mirrored_copy_give_mirrored_sides(screener: Screener, shared_data: Path) -> None:
    volume = read_volume(shared_data / "ct" / "radiopaedia_covid19" / "rid74879.nii.gz")
    flipped = replace(volume, hu=np.ascontiguousarray(volume.hu[:, :, ::-1]))
    case, mirror = (screener.screen(v).case for v in (volume, flipped))
    for side, other in (("left", "right"), ("right", "left")):
        assert mirror.lungs[other].volume_ml == pytest.approx(case.lungs[side].volume_ml, rel=0.02)
        assert mirror.lungs[other].affected_percent == pytest.approx(case.lungs[side].affected_percent, abs=1.5)
    best, best_mirrored = case.regions[0], mirror.regions[0]
    assert (best.side, best_mirrored.side) == ("right", "left")


def test_screening_twice_gives_the_same_document_but_for_times(screener: Screener) -> None:
    volume = generate_phantom(500_001, "covid19", PhantomSpec(matrix=128, thickness_mm=6.0)).volume
    first, second = (replace(screener.screen(volume).case, timings_s={}) for _ in range(2))
    assert first == second


def test_abdomen_is_refused_by_its_name(screener: Screener, shared_data: Path) -> None:
    with pytest.raises(NoLungsError, match=r"example_ct\.nii\.gz"):
        screen(screener, shared_data / "ct" / "no_lung_abdomen" / "example_ct.nii.gz")


def _tumour_center_mm(dicom: Path, boxes: Path) -> np.ndarray:
    """LPS centre of the largest tumour box, from its slice's own header."""
    slices = {}
    for path in dicom.iterdir():
        header = pydicom.dcmread(path, stop_before_pixels=True)
        slices[header.SOPInstanceUID] = header
    best, center = 0.0, None
    for path in boxes.glob("*.xml"):
        header = slices.get(path.stem)
        box = ElementTree.parse(path).getroot().find(".//bndbox")
        if header is None or box is None:
            continue
        x0, y0, x1, y1 = (float(box.findtext(key, "0")) for key in ("xmin", "ymin", "xmax", "ymax"))
        if (x1 - x0) * (y1 - y0) > best:
            best = (x1 - x0) * (y1 - y0)
            row_mm, column_mm = (float(v) for v in header.PixelSpacing)
            place = np.array([float(v) for v in header.ImagePositionPatient])
            center = place + np.array([(x0 + x1) / 2 * column_mm, (y0 + y1) / 2 * row_mm, 0.0])
    assert center is not None, "no tumour box belongs to a slice of the scan"
    return center

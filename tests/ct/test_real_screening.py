"""The published weights on real scans: sides, places and refusals that a radiologist's text or a box tells.

Truth: ``cases.csv`` of the COVID-19 scans (their readers' texts) and the tumour boxes of the lung-cancer scan.
The COVID-19 scans were in no training; of the lung-cancer scan, only the right lung was.
"""

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from pneumoscreen.ct.screening import Screener, Screening
from pneumoscreen.errors import NoLungsError
from pneumoscreen.images import read_volume
from pneumoscreen.images.volume import Volume
from pneumoscreen.models.store import ModelStore
from pneumoscreen.phantoms import PhantomSpec, generate_phantom

# Sides with disease by the text of cases.csv, and the side that it calls worse.
COVID = {
    "rid74576": ({"left", "right"}, None),
    "rid74724": ({"left", "right"}, None),
    "rid74879": ({"right"}, "right"),
    "rid74880": ({"left", "right"}, None),
    "rid75281": ({"left", "right"}, None),
    "rid75329": ({"left"}, "left"),
    "rid75329_2": ({"left", "right"}, None),
    "rid75345": ({"left", "right"}, None),
}


@pytest.fixture(scope="module")
def screener() -> Screener:
    return Screener.from_store(ModelStore(), device="cpu")


def screen(screener: Screener, path: Path) -> tuple[Volume, Screening]:
    volume = read_volume(path)
    return volume, screener.screen(volume)


@pytest.mark.parametrize("name", COVID)
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


def test_lung_cancer_scan_has_a_region_at_its_tumour(screener: Screener, shared_data: Path) -> None:
    folder = shared_data / "ct" / "lungdx_A0001_dicom"
    volume, screening = screen(screener, folder)
    tumour = _tumour_center_mm(folder, shared_data / "ct" / "lungdx_A0001_boxes")
    assert volume.mm_to_index(tumour)[0] > 0
    at_tumour = [
        region
        for region in screening.case.regions
        if (np.abs(np.array(region.center_mm) - tumour) <= np.array(region.size_mm) / 2).all()
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

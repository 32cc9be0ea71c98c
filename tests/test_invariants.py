"""What must hold from the file to every answer: left stays left, one lesion has one vote, heat lies in the lesion.

The published weights screen small phantoms whose disease lies on one side; each answer is read back from its file.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from scripts.phantom_files import write_ct, write_xray
from tests.pacs.conftest import DRAWING, only_input
from tests.pacs.test_segmentation import masks_of, read_back
from tests.pacs.test_structured_report import groups_of, name, report_of
from tests.report.pages import Page

from pneumoscreen.ct.phantoms.implants import implant_lesions
from pneumoscreen.ct.phantoms.phantom import Phantom, PhantomSpec, generate_phantom
from pneumoscreen.ct.report.case_report import render_report
from pneumoscreen.ct.screening import Screener, Screening
from pneumoscreen.cxr.phantoms.radiograph import generate_radiograph
from pneumoscreen.cxr.phantoms.studies import write_picture
from pneumoscreen.cxr.report.case_report import write_cxr_report
from pneumoscreen.cxr.screening import CxrScreener
from pneumoscreen.evidence import counts
from pneumoscreen.images import read_volume
from pneumoscreen.images.radiograph_reader import read_radiograph_file
from pneumoscreen.images.volume import LEFT, Masks, Volume
from pneumoscreen.models.store import ModelStore
from pneumoscreen.pacs.about import About
from pneumoscreen.pacs.source import source_of
from pneumoscreen.report.wording import percent, plain
from pneumoscreen.verdict import DEFAULT_CLASSES

WAYS = {
    "series from the feet": ("LPS", ""),
    "series from the head": ("RPI", ""),
    "series of a patient on the belly": ("RAS", ""),
    "NIfTI": ("RAS", ".nii.gz"),
    "NRRD": ("LAI", ".nrrd"),
    "MetaImage of sagittal slices": ("PIR", ".mha"),
}
"""How a scan is stored: its orientation and the ending of its file; a series has none."""


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    """Three infected foci and two irrelevant ones, all in the patient's left lung."""
    clear = generate_phantom(7, "no_infection_found", PhantomSpec(matrix=128, slices=40))
    left = np.where(clear.lungs == LEFT, clear.lungs, 0).astype(np.uint8)
    return implant_lesions(clear.volume, left, "covid19", 7, clear.lungs)


@pytest.fixture(scope="module")
def screener() -> Screener:
    return Screener.from_store(ModelStore(), device="cpu")


@pytest.fixture(scope="module")
def screening(phantom: Phantom, screener: Screener) -> Screening:
    return screener.screen(phantom.volume)


def written(volume: Volume, way: str, folder: Path) -> Path:
    orientation, ending = WAYS[way]
    volume = replace(volume, stored_orientation=orientation)
    if not ending:
        write_ct(volume, folder / "ct")
        return folder / "ct"
    sitk.WriteImage(volume.to_sitk(volume.hu), str(folder / f"ct{ending}"))
    return folder / f"ct{ending}"


def centre_mm(image: sitk.Image) -> NDArray[np.float64]:
    """LPS mm of the middle of what is marked in a label map."""
    index = np.argwhere(sitk.GetArrayFromImage(image) > 0).mean(axis=0)[::-1]
    return np.array(image.TransformContinuousIndexToPhysicalPoint(index.tolist()))


@pytest.mark.parametrize("way", WAYS)
def test_a_lesion_of_the_left_lung_is_on_the_left_in_document_label_map_and_page(
    way: str, phantom: Phantom, screener: Screener, screening: Screening, tmp_path: Path
) -> None:
    volume = read_volume(written(phantom.volume, way, tmp_path))
    assert volume.stored_orientation == WAYS[way][0]
    found = screener.screen(volume)
    counting = [region for region in found.case.regions if counts(region)]
    assert len(counting) == 3 and {region.side for region in counting} == {"left"}
    assert found.case.lungs["left"].affected_percent > 1.0 and found.case.lungs["right"].affected_percent == 0.0
    middle = phantom.volume.index_to_mm(np.argwhere(phantom.lungs > 0).mean(axis=0))[0]
    assert min(region.center_mm[0] for region in counting) > middle + 20.0, "x of LPS grows to the patient's left"
    sitk.WriteImage(volume.to_sitk(found.label_map()), str(tmp_path / "label.nrrd"))
    label = sitk.ReadImage(str(tmp_path / "label.nrrd"))
    assert label.GetSize() == tuple(found.case.image.size)
    # The same place in the patient as in the scan that was never written.
    expected = phantom.volume.index_to_mm(np.argwhere(screening.label_map() > 0).mean(axis=0))
    assert centre_mm(label) == pytest.approx(expected, abs=0.1) and expected[0] > middle + 20.0
    page = Page(render_report(volume, found, DEFAULT_CLASSES)).text
    assert f"Left lung {found.case.lungs['left'].affected_percent:.1f} %" in page and "Right lung 0.0 %" in page


def test_the_segmentation_and_the_report_for_a_pacs_name_the_left(
    phantom: Phantom, screener: Screener, tmp_path: Path
) -> None:
    folder = written(phantom.volume, "series from the head", tmp_path)
    volume = read_volume(folder)
    found = screener.screen(volume)
    masks = Masks(volume, found.lungs.labels, found.infection)
    about = About(found.case, source_of(only_input(folder)), DRAWING, masks)
    seg = read_back(tmp_path, about)
    by_number = masks_of(seg, phantom.volume)
    groups = groups_of(report_of(about, tmp_path))
    for segment in seg.SegmentSequence:
        mask = by_number[int(segment.SegmentNumber)]
        sides = np.bincount(phantom.lungs[mask], minlength=3)[1:]
        assert sides.argmin() == (0 if str(segment.SegmentLabel) == "Right lung" else 1), segment.SegmentLabel
        assert sides.min() < 0.02 * sides.max()
    for region in found.case.regions:
        _, _, group = groups[f"CT {region.id}"]
        (site,) = (item for item in group.ContentSequence if name(item) == "Finding Site")
        assert site.ContentSequence[0].ConceptCodeSequence[0].CodeMeaning == "Left"


def test_the_card_of_a_region_shows_what_the_screening_found(phantom: Phantom, screening: Screening) -> None:
    page = Page(render_report(phantom.volume, screening, DEFAULT_CLASSES)).text
    lungs = screening.case.lungs
    for side in ("left", "right"):
        share, volume_ml = lungs[side].affected_percent, lungs[side].volume_ml
        assert f"{side.capitalize()} lung {share:.1f} %" in page and f"{volume_ml:,.0f} ml" in page
    for region in screening.case.regions:
        assert f"{region.infected_ml:.1f} ml" in page
        for patch in region.patches:
            assert f"{plain(percent(patch.confidence))} · slice {patch.slice} " in page


def test_a_lesion_has_one_vote(phantom: Phantom, screening: Screening) -> None:
    counting = [i for i, region in enumerate(screening.case.regions) if counts(region)]
    holders = []
    for lesion in (each for each in phantom.lesions if each.label == "covid19"):
        voxels = np.argwhere(phantom.infection == lesion.number)
        inside = [
            i for i in counting
            if ((voxels >= screening.candidate_boxes[i][:3]) & (voxels <= screening.candidate_boxes[i][3:]))
            .all(axis=1).mean() > 0.5
        ]  # fmt: skip
        assert len(inside) == 1, f"lesion {lesion.number} is in the regions {inside}"
        holders += inside
    assert sorted(holders) == counting, "and no region without a lesion"
    # Each infected voxel is counted once: the regions together have no more than the lung.
    voxel_ml = float(np.prod(phantom.volume.spacing_mm)) / 1000.0
    infected = np.count_nonzero(screening.infection & (screening.lungs.labels == LEFT)) * voxel_ml
    assert sum(screening.case.regions[i].infected_ml for i in range(len(screening.case.regions))) <= infected + 1e-6


@pytest.fixture(scope="module")
def film_screener() -> CxrScreener:
    return CxrScreener.from_store(ModelStore(), "cpu")


def test_heat_lies_in_the_lesions_of_x_rays(film_screener: CxrScreener) -> None:
    ratios = []
    for seed in (910_001, 910_002, 910_004, 910_005):
        film = generate_radiograph(seed)
        heat = film_screener.screen(film.radiograph).gradcam
        ratios.append(heat[film.lesions].mean() / heat[(film.lungs > 0) & ~film.lesions].mean())
    assert min(ratios) > 1.3 and np.median(ratios) > 3.0, ratios


def test_an_opacity_of_the_left_lung_is_on_the_left_whatever_the_file(
    film_screener: CxrScreener, tmp_path: Path
) -> None:
    film = generate_radiograph(910_001)
    assert film.location == "left"
    picture = film.radiograph
    mirrored = replace(picture, pixels=np.ascontiguousarray(picture.pixels[:, ::-1]))
    files = [
        tmp_path / "film.png",
        write_xray(picture, tmp_path / "upright.dcm"),
        write_xray(mirrored, tmp_path / "mirrored.dcm", PatientOrientation=["R", "F"]),
    ]
    write_picture(picture, files[0])
    for file in files:
        read = read_radiograph_file(file)
        found = film_screener.screen(read)
        cxr = found.case.cxr
        assert cxr is not None and cxr.location == "left" and cxr.sides["left"] > 0.5 > cxr.sides["right"], file.name
        assert cxr.opacity is not None and cxr.opacity["left"] > 0.0 == cxr.opacity["right"]
        assert cxr.boxes["left"][0] > cxr.boxes["right"][0] + cxr.boxes["right"][2] / 2
        warm = np.argwhere(found.gradcam > 0.5 * found.gradcam.max())[:, 1].mean()
        assert warm > read.pixels.shape[1] / 2
        write_cxr_report(read, found, tmp_path / "page.html")
        assert "left lung" in Page((tmp_path / "page.html").read_text(encoding="utf-8")).text

"""The Structured Report says what the document says, of whom and by whom, and refers to images and segments."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from scripts.phantom_files import write_xray

from pneumoscreen import RESEARCH_USE_ONLY
from pneumoscreen.case import ReaderMark
from pneumoscreen.images.radiograph import Radiograph
from pneumoscreen.images.radiograph_header import stored_corners
from pneumoscreen.pacs.about import About
from pneumoscreen.pacs.results import results_of
from pneumoscreen.pacs.segmentation import region_mask
from pneumoscreen.pacs.source import source_of
from pneumoscreen.verdict import Infection

from .conftest import DRAWING, film_case, only_input


def report_of(about: About, folder: Path) -> pydicom.Dataset:
    path = folder / "sr.dcm"
    results_of(about)["sr"].save_as(path, write_like_original=False)
    return highdicom.sr.srread(path)


def groups_of(report: Any) -> dict[str, tuple[dict[str, tuple[float, str]], dict[str, str], pydicom.Dataset]]:
    """Measurements (value, unit) and evaluations of each group, by its tracking identifier, and the group.

    Those that only say where it is to be seen are left out.
    """
    found = {}
    for group in all_groups(report):
        if any(item.ValueType == "SCOORD" for item in group.ContentSequence):
            continue
        numbers, said, tracked = {}, {}, ""
        for item in group.ContentSequence:
            if item.ValueType == "NUM":
                value = item.MeasuredValueSequence[0]
                unit = value.MeasurementUnitsCodeSequence[0].CodeValue
                numbers[name(item)] = (float(value.NumericValue), unit)
            elif item.ValueType == "CODE":
                said[name(item)] = item.ConceptCodeSequence[0].CodeMeaning
            elif name(item) == "Tracking Identifier":
                tracked = item.TextValue
        found[tracked] = (numbers, said, group)
    return found


def all_groups(report: Any) -> list[pydicom.Dataset]:
    (measurements,) = (item for item in report.ContentSequence if name(item) == "Imaging Measurements")
    return list(measurements.ContentSequence)


def tracking_uid_of(group: pydicom.Dataset) -> str:
    (uid,) = (item.UID for item in group.ContentSequence if name(item) == "Tracking Unique Identifier")
    return str(uid)


def outlines_of(report: Any) -> dict[str, tuple[str, NDArray[np.float64], pydicom.Dataset]]:
    """Label, corners and referenced image of each outline by its tracking UID."""
    found = {}
    for group in all_groups(report):
        (text,) = [item.TextValue for item in group.ContentSequence if name(item) == "Comment"] or [""]
        for item in group.ContentSequence:
            if item.ValueType == "SCOORD":
                corners = np.array(item.GraphicData, float).reshape(-1, 2)
                found[tracking_uid_of(group)] = text, corners, item.ContentSequence[0].ReferencedSOPSequence[0]
    return found


def name(item: pydicom.Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeMeaning)


def texts(report: Any) -> list[str]:
    return [item.TextValue for item in report.ContentSequence if item.ValueType == "TEXT" and name(item) == "Comment"]


def test_verdict_lungs_and_regions_of_a_ct(about: About, tmp_path: Path) -> None:
    verdict = replace(about.case.verdict, infection=Infection(0.931, "tests"), decided=True)
    first, *others = about.case.regions
    model = replace(
        first, source="model", reader=None, label="covid19", confidence=0.91, score=0.77, infected_ml=12.5,
        size_mm=(31.0, 22.0, 33.0),
    )  # fmt: skip
    about = replace(about, case=replace(about.case, verdict=verdict, regions=(model, *others)))
    report = report_of(about, tmp_path)
    groups = groups_of(report)
    numbers, said, _ = groups["CT verdict"]
    assert numbers["Probability of an infection of any type"] == (93.1, "%")
    assert numbers["Probability of COVID-19"] == (100.0, "%") and numbers["Probability of Influenza A"] == (0.0, "%")
    assert said == {"Verdict of the screening": "COVID-19", "The type is decided": "Yes", "Finding Site": "Lung"}
    for side in ("left", "right"):
        numbers, said, group = groups[f"CT {side}"]
        assert numbers["Volume"][0] == pytest.approx(about.case.lungs[side].volume_ml)
        assert numbers["Share of the lung that is affected"] == (about.case.lungs[side].affected_percent, "%")
        (site,) = (item for item in group.ContentSequence if name(item) == "Finding Site")
        assert site.ContentSequence[0].ConceptCodeSequence[0].CodeMeaning == side.capitalize()
    numbers, said, _ = groups[f"CT {first.id}"]
    assert numbers == {
        "Certainty of Finding": (91.0, "%"),
        "Score of the candidate region": (77.0, "%"),
        "Infected volume inside the region": (12.5, "ml"),
        "Extent of the region's box along x": (31.0, "mm"),
        "Extent of the region's box along y": (22.0, "mm"),
        "Extent of the region's box along z": (33.0, "mm"),
    }
    assert said["Finding"] == "COVID-19" and said["Who the label is from"] == "Algorithm"
    assert groups[f"CT {others[0].id}"][1]["Who the label is from"] == "Reader"
    assert len(groups) == 3 + len(about.case.regions)


def test_a_region_between_two_slices_is_told_of_without_a_segment(about: About, tmp_path: Path) -> None:
    first = about.case.regions[0]
    between = about.masks.volume.index_to_mm(np.array([7.5, 32.0, 20.0]))
    thin = replace(first, center_mm=tuple(between.tolist()), size_mm=(20.0, 20.0, 3.0))
    about = replace(about, case=replace(about.case, regions=(thin,)))
    _, said, group = groups_of(report_of(about, tmp_path))[f"CT {first.id}"]
    assert said["Finding"] == "COVID-19"
    assert "Referenced Segment" not in {name(item) for item in group.ContentSequence}
    # A report that has one finding without coordinates fails in OHIF.
    assert len(outlines_of(report_of(about, tmp_path))[tracking_uid_of(group)][1]) == 5


def test_an_undecided_type_is_not_named_as_the_verdict(about: About, tmp_path: Path) -> None:
    about = replace(about, case=replace(about.case, verdict=replace(about.case.verdict, decided=False)))
    _, said, _ = groups_of(report_of(about, tmp_path))["CT verdict"]
    assert said["Verdict of the screening"] == "Infection or opacity found, type undecided"
    assert said["The type is decided"] == "No"


def test_it_says_what_it_is_for_and_which_networks_and_who_spoke(about: About, tmp_path: Path) -> None:
    report = report_of(about, tmp_path)
    said = texts(report)
    assert said[0] == RESEARCH_USE_ONLY and "Infection found" not in said[1]
    assert f"ct_candidates version 3, SHA-256 {'a' * 12}" in said
    observers = [str(item.PersonName) for item in report.ContentSequence if item.ValueType == "PNAME"]
    assert observers == ["phantom truth^"]
    devices = [item.TextValue for item in report.ContentSequence if name(item) == "Device Observer Name"]
    assert devices == ["PneumoScreen"]
    by_model = replace(about.case.regions[0], source="model", label="covid19", confidence=0.9, reader=None)
    report = report_of(replace(about, case=replace(about.case, regions=(by_model,))), tmp_path)
    assert not [item for item in report.ContentSequence if item.ValueType == "PNAME"]
    assert (report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag) == (
        "COMPLETE", "UNVERIFIED", "PRELIMINARY",
    )  # fmt: skip


def test_it_refers_to_the_segments_and_to_the_images(about: About, tmp_path: Path) -> None:
    objects = results_of(about)
    report, seg = objects["sr"], objects["seg"]
    numbers = {str(item.TrackingID): int(item.SegmentNumber) for item in seg.SegmentSequence}
    tracked = {str(item.TrackingID): str(item.TrackingUID) for item in seg.SegmentSequence}
    for tracking, (_, _, group) in groups_of(report).items():
        if tracking == "CT verdict":
            continue
        (item,) = (item for item in group.ContentSequence if name(item) == "Referenced Segment")
        reference = item.ReferencedSOPSequence[0]
        assert reference.ReferencedSOPInstanceUID == seg.SOPInstanceUID
        assert int(reference.ReferencedSegmentNumber) == numbers[tracking]
        assert tracking_uid_of(group) == tracked[tracking]
    evidence = [
        instance.ReferencedSOPInstanceUID
        for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
        for study in report.get(keyword, [])
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    ]
    assert sorted(evidence) == sorted([seg.SOPInstanceUID, *(image.SOPInstanceUID for image in about.source.images)])


def test_a_corrected_case_supersedes_the_report_before(about: About, tmp_path: Path) -> None:
    before = results_of(about)
    mark = ReaderMark("irrelevant", "reader-a", "2026-01-01T00:00:00Z")
    corrected = replace(about.case, regions=tuple(replace(r, reader=mark) for r in about.case.regions)).with_verdict()
    after = results_of(replace(about, case=corrected, previous=[before["sr"]]))
    (predecessor,) = after["sr"].PredecessorDocumentsSequence
    (series,) = predecessor.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == before["sr"].SeriesInstanceUID
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == before["sr"].SOPInstanceUID
    for kind in ("seg", "sr", "pdf", "sc"):
        assert after[kind].SOPInstanceUID != before[kind].SOPInstanceUID
        assert after[kind].SeriesInstanceUID == before[kind].SeriesInstanceUID
        assert after[kind].InstanceNumber > before[kind].InstanceNumber
    _, said, _ = groups_of(after["sr"])["CT verdict"]
    assert said["Verdict of the screening"] == "No infection found"


@pytest.fixture
def film(tmp_path: Path) -> Callable[..., About]:
    def make(**fields: object) -> About:
        pixels = np.linspace(0, 1, 160 * 200, dtype=np.float32).reshape(160, 200)
        radiograph = Radiograph(pixels, (0.2, 0.3), (0, 0, 200, 160), "film", Path("film"), "c" * 64)
        path = write_xray(radiograph, tmp_path / "film" / "1.dcm", **fields)
        return About(film_case(), source_of(only_input(path.parent)), DRAWING)

    return make


def test_lungs_and_opacity_of_an_xray(film: Callable[..., About], tmp_path: Path) -> None:
    about = film()
    objects = results_of(about)
    assert list(objects) == ["sr", "pdf", "sc"]
    groups = groups_of(report_of(about, tmp_path))
    numbers, said, _ = groups["CXR verdict"]
    assert numbers["Probability of an opacity in the lung"] == (90.0, "%")
    assert numbers["Probability of community-acquired pneumonia"] == (20.0, "%")
    assert said["Affected side"] == "left lung" and said["The type is decided"] == "No"
    numbers, _, group = groups["CXR left"]
    assert numbers == {"Probability of an opacity in the lung": (90.0, "%")}
    text, corners, image = outlines_of(report_of(about, tmp_path))[tracking_uid_of(group)]
    assert text == "Left lung: opacity 90 %"
    assert corners.ravel().tolist() == [110, 30, 160, 30, 160, 120, 110, 120, 110, 30]
    assert image.ReferencedSOPInstanceUID == about.source.first.SOPInstanceUID
    # The verdict's is round both.
    text, corners, _ = outlines_of(report_of(about, tmp_path))[tracking_uid_of(groups["CXR verdict"][2])]
    assert text == "Opacity found, type undecided (research use only)"
    assert (corners.min(axis=0).tolist(), corners.max(axis=0).tolist()) == ([40, 28], [160, 120])


@pytest.mark.parametrize(
    ("label", "decided", "infection", "said"),
    [
        ("healthy", True, 0.1, "No opacity found"),
        ("healthy", True, None, "Healthy"),
        ("cap", False, 0.9, "Infection or opacity found, type undecided"),
        ("cap", True, 0.9, "Community acquired pneumonia"),
    ],
)
def test_that_no_opacity_was_found_is_not_called_healthy(
    film: Callable[..., About], tmp_path: Path, label: str, decided: bool, infection: float | None, said: str
) -> None:
    about = film()
    verdict = about.case.verdict
    assert verdict is not None
    calibrated = None if infection is None else Infection(infection, "tests")
    verdict = replace(verdict, label=label, decided=decided, infection=calibrated)
    report = report_of(replace(about, case=replace(about.case, verdict=verdict)), tmp_path)
    (found,) = [text for name, text in groups_of(report)["CXR verdict"][1].items() if "erdict" in name]
    assert found.casefold() == said.casefold()


def test_each_finding_of_a_ct_has_an_outline_on_the_image_that_shows_most_of_it(about: About, tmp_path: Path) -> None:
    report = report_of(about, tmp_path)
    found = outlines_of(report)
    groups = groups_of(report)
    assert {tracking_uid_of(group) for _, _, group in groups.values()} == found.keys()
    numbers = {image.SOPInstanceUID: number for number, image in enumerate(about.source.images)}
    expected = {"left": about.masks.lungs == 1, "right": about.masks.lungs == 2}
    expected |= {region.id: region_mask(about.masks, region) for region in about.case.regions}
    for key, mask in expected.items():
        _, corners, image = found[tracking_uid_of(groups[f"CT {key}"][2])]
        z = numbers[image.ReferencedSOPInstanceUID]
        counts = mask.sum(axis=(1, 2))
        assert counts[z] == counts.max() > 0
        y, x = np.nonzero(about.source.planes(about.masks.volume, mask)[z])
        assert (corners.min(axis=0).tolist(), corners.max(axis=0).tolist()) == (
            [x.min(), y.min()], [x.max() + 1, y.max() + 1],
        )  # fmt: skip
        assert len(corners) == 5 and tuple(corners[0]) == tuple(corners[-1])
    text, _, image = found[tracking_uid_of(groups["CT verdict"][2])]
    assert text == "COVID-19 (research use only)"
    infected = about.masks.infection.sum(axis=(1, 2))
    assert infected[numbers[image.ReferencedSOPInstanceUID]] == infected.max()
    first = about.case.regions[0]
    assert found[tracking_uid_of(groups[f"CT {first.id}"][2])][0].startswith(f"{first.id}: COVID-19, ")


@pytest.mark.parametrize("stored", [["L", "F"], ["R", "F"], ["L", "H"], ["R", "H"], ["F", "L"], ["H", "R"]])
def test_a_box_lies_on_the_same_pixels_of_the_stored_picture(stored: list[str], film: Callable[..., About]) -> None:
    from pneumoscreen.images.radiograph_dicom import _hang
    from pneumoscreen.images.radiograph_header import hanging

    image = film(PatientOrientation=stored).source.first
    # What hangs is the stored picture turned; here the stored one holds its own pixels' places.
    rows, columns = np.mgrid[: int(image.Rows), : int(image.Columns)].astype(np.float32)
    turn = hanging(image)
    hung_rows, hung_columns = _hang(rows, turn), _hang(columns, turn)
    x, y, w, h = 20, 30, 50, 40
    corners = np.array(stored_corners((x, y, w, h), image))
    inside = np.s_[y : y + h, x : x + w]
    assert corners[:, 0].min() == hung_columns[inside].min() and corners[:, 0].max() == hung_columns[inside].max() + 1
    assert corners[:, 1].min() == hung_rows[inside].min() and corners[:, 1].max() == hung_rows[inside].max() + 1
    assert tuple(corners[0]) == tuple(corners[-1])

"""From what was marked on a scan to its case document and lesion map."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...case import SIDES, Case, LungInfo, ReaderMark, Region
from ...images.volume import Volume, box_voxels
from ...importers.found import TOO_MANY, Finding, ImportSettings, Marks, MarksError
from ...limits import MOST_REGIONS
from ...verdict import DEFAULT_CLASSES, Classes
from ..lungs.segmentation import Lungs, segment_lungs
from .regions import split_lesions

MIN_INSIDE = 0.2
"""Share of the drawn infection that must lie in the lungs; below it the mask is that of another scan, or mirrored."""


@dataclass(frozen=True)
class Documented:
    """A case document with its masks, uint8 [z, y, x].

    Attributes:
        case: the document.
        lesions: the lesion map that its regions' numbers refer to, or None where the data hold boxes only.
        lungs: the lungs, 1 left, 2 right, or None where the data hold none.
    """

    case: Case
    lesions: NDArray[np.uint8] | None
    lungs: NDArray[np.uint8] | None


def document(
    volume: Volume,
    marks: Marks,
    diagnosis: str | None,
    settings: ImportSettings,
    at: str,
    notes: tuple[str, ...] = (),
    classes: Classes = DEFAULT_CLASSES,
) -> Documented:
    """The document of a reader who marked what the data mark.

    Ours: a region has the label that the data give it, else ``settings.label``, else the type of the clinical
    diagnosis, and ``irrelevant`` where that is "no infection found". A case without a diagnosis has the type that
    all of its infection regions are labelled with.

    Args:
        volume: the scan; its case id becomes the document's.
        marks: what was marked on it.
        diagnosis: of the case, or None.
        settings: what the user says.
        at: time of the import, ISO 8601.
        notes: further sentences for the document.
        classes: the class list.

    Raises:
        MarksError: if labels and diagnosis contradict each other or are missing, or a mark lies beside the lungs.
        NoLungsError: if there is something marked on a scan without lungs.
    """
    findings, lesions = marks.findings, None
    if len(findings) > MOST_REGIONS:
        raise MarksError(TOO_MANY)
    notes = (*notes, *marks.notes)
    lungs = Lungs(marks.lungs) if marks.lungs is not None else None
    if findings or marks.infection is not None:
        lungs = lungs or segment_lungs(volume)
    if marks.infection is not None and lungs is not None:
        _check_place(marks.infection, lungs)
        split = split_lesions(marks.infection, lungs.labels, volume.spacing_zyx)
        findings = tuple(Finding(box) for box in split.boxes)
        lesions, notes = split.numbers, (*notes, *split.notes)
    labels = [_label(finding, diagnosis, settings, classes) for finding in findings]
    diagnosis = _diagnosis(labels, diagnosis, classes)
    regions: list[Region] = []
    for finding, label in zip(findings, labels, strict=True):
        assert lungs is not None
        if not lungs.mask[box_voxels(finding.box, volume.hu.shape)].any():
            if label != classes.irrelevant:
                raise MarksError(
                    f"box {len(regions) + 1} lies beside the lungs; check its coordinate system (LPS or RAS) and unit"
                )
            notes = (*notes, "A box without lung in it was left out.")
            continue
        regions.append(_region(len(regions) + 1, finding, label, volume, lungs, settings.reader, at))
    case = Case(
        case_id=volume.case_id,
        modality="CT",
        image=volume.image_info(),
        diagnosis=diagnosis,
        lungs=_lung_infos(volume, lungs, lesions, labels, classes) if lungs is not None else {},
        regions=tuple(regions),
        notes=(*volume.notes, *notes),
    )
    return Documented(case.with_verdict(classes), lesions, marks.lungs)


def same_content(one: Case, other: Case) -> bool:
    """Whether two documents differ in nothing but the times of their marks and where the image was taken from."""
    return _timeless(one) == _timeless(other)


def _timeless(case: Case) -> Case:
    return replace(
        case,
        image=replace(case.image, source=None, study_uid=None),
        regions=tuple(
            replace(region, reader=replace(region.reader, at="") if region.reader else None) for region in case.regions
        ),
    )


def _check_place(infection: NDArray[np.bool_], lungs: Lungs) -> None:
    drawn = np.count_nonzero(infection)
    inside = np.count_nonzero(infection & lungs.mask)
    if inside < MIN_INSIDE * drawn:
        raise MarksError(
            f"only {100 * inside / drawn:.0f} % of the infection mask lie in the lungs, so it belongs to another scan "
            "or is mirrored; export it on its own scan's grid"
        )


def _label(finding: Finding, diagnosis: str | None, settings: ImportSettings, classes: Classes) -> str:
    if finding.label is not None:
        return finding.label
    if settings.label is not None:
        return settings.label
    if diagnosis is None:
        raise MarksError("its regions name no type; give --diagnosis, or a label with each region")
    return diagnosis if diagnosis in classes.infections else classes.irrelevant


def _diagnosis(labels: list[str], diagnosis: str | None, classes: Classes) -> str:
    types = sorted(set(labels) - {classes.irrelevant})
    if diagnosis is None:
        if len(types) > 1:
            raise MarksError(f"its regions name more than one type ({', '.join(types)}); give --diagnosis")
        if not labels:
            raise MarksError("nothing is marked and the diagnosis is not known; give --diagnosis")
        return types[0] if types else classes.none_found
    if types and types != [diagnosis]:
        wrong = next(label for label in types if label != diagnosis)
        raise MarksError(f"a region is labelled {wrong} and the diagnosis is {diagnosis}; correct one of the two")
    if diagnosis != classes.none_found and not labels:
        # Training would learn that these lungs hold nothing.
        raise MarksError(f"the diagnosis is {diagnosis} and its marks are empty; mark its regions first")
    return diagnosis


def _region(number: int, finding: Finding, label: str, volume: Volume, lungs: Lungs, reader: str, at: str) -> Region:
    center, size = volume.box_to_mm(finding.box)
    return Region(
        id=f"r{number}",
        source="reader",
        center_mm=tuple(round(float(v), 2) for v in center),
        size_mm=tuple(round(float(v), 2) for v in size),
        score=1.0,
        side=lungs.side_of(finding.box),
        reader=ReaderMark(label, reader, at),
    )


def _lung_infos(
    volume: Volume, lungs: Lungs, lesions: NDArray[np.uint8] | None, labels: list[str], classes: Classes
) -> dict[str, LungInfo]:
    """Volume and affected share of each lung in view; nothing where only boxes say how much is affected."""
    if lesions is None and labels:
        return {}
    numbers = [i for i, label in enumerate(labels, start=1) if label != classes.irrelevant]
    infected = np.zeros(lungs.labels.shape, dtype=bool) if lesions is None else np.isin(lesions, numbers)
    found = {}
    for side in SIDES:
        lung = lungs.side_mask(side)  # type: ignore[arg-type]
        count = int(np.count_nonzero(lung))
        if count:
            share = 100.0 * np.count_nonzero(infected & lung) / count
            found[side] = LungInfo(round(lungs.volume_ml(side, volume.spacing_mm), 1), round(share, 2))  # type: ignore[arg-type]
    return found

"""The report of one CT case: a single HTML file with every picture inside, readable without a network."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...case import SIDES, Case, LungInfo
from ...images.volume import Volume
from ...report import wording
from ...report.page import Bar, environment, shared_cards
from ...report.pictures import Frame, lung_frames, project
from ...verdict import Classes
from .region_cards import Box, RegionArtist, RegionCard, plane_box

OVERVIEW_PIXELS = 760


class LungLabels(Protocol):
    """Lung masks on the volume grid."""

    @property
    def labels(self) -> NDArray[np.uint8]:
        """Labels [z, y, x]: 0 none, 1 the patient's left lung, 2 the right."""


class ReportSource(Protocol):
    """What a screening must offer to be reported."""

    @property
    def case(self) -> Case:
        """The case document."""

    @property
    def lungs(self) -> LungLabels:
        """The lungs it was found in."""

    @property
    def infection(self) -> NDArray[np.bool_]:
        """Infected voxels [z, y, x] on the volume grid."""


@dataclass(frozen=True)
class LungRow:
    """One lung, or both: volume, affected share and affected volume."""

    name: str
    volume_ml: float
    affected_percent: float
    affected_ml: float


def write_report(volume: Volume, screening: ReportSource, out_html: Path, classes: Classes) -> None:
    """Write the report of a screened CT as one HTML file; its folder is made if it is missing.

    Args:
        volume: the scan that was screened.
        screening: the case document, lungs and infection mask.
        out_html: the file to write.
        classes: the class list.
    """
    html = render_report(volume, screening, classes)
    out_html.parent.mkdir(parents=True, exist_ok=True)
    out_html.write_text(html, encoding="utf-8")


def render_report(volume: Volume, screening: ReportSource, classes: Classes) -> str:
    """The HTML of ``write_report``.

    Raises:
        ValueError: if the masks do not lie on the volume's grid.
    """
    labels = np.asarray(screening.lungs.labels)
    infection = np.asarray(screening.infection)
    if labels.shape != volume.hu.shape or infection.shape != volume.hu.shape:
        raise ValueError(
            f"the masks {labels.shape} and {infection.shape} do not lie on the grid of the volume {volume.hu.shape}"
        )
    case = screening.case
    axial, coronal = lung_frames(volume, labels)
    artist = RegionArtist(volume, labels, infection, axial, case.regions, classes)
    cards = artist.cards()
    pictures = project(volume, labels, artist.shown_infection, axial, coronal, OVERVIEW_PIXELS)
    boxes = _overview_boxes(cards, artist, axial, coronal)
    return (
        environment()
        .get_template("case.html.j2")
        .render(
            verdict=_verdict_view(case, classes),
            headline=wording.headline(case, classes),
            lungs=_lung_rows(case),
            overview=[
                {"title": "From the front", "picture": pictures.coronal, "frame": coronal, "boxes": boxes[0]},
                {"title": "From the feet", "picture": pictures.axial, "frame": axial, "boxes": boxes[1]},
            ],
            infected=[card for card in cards if card.relevant],
            irrelevant=[card for card in cards if not card.relevant],
            legend=_legend(cards, classes),
            facts=_facts(volume, case),
            approximate_hu=volume.approximate_hu,
            **shared_cards(case),
        )
    )


def _verdict_view(case: Case, classes: Classes) -> dict[str, Any] | None:
    verdict = case.verdict
    if verdict is None:
        return None
    return {
        "key": wording.label_key(verdict.label, classes) if verdict.decided else "unknown",
        "name": wording.verdict_name(verdict),
        "decided": verdict.decided,
        "infection": wording.infection_in_words(verdict),
        "bars": [
            Bar(
                wording.label_key(name, classes),
                wording.display_name(name),
                verdict.probability.get(name, 0.0),
                wording.percent(verdict.probability.get(name, 0.0), 1),
            )
            for name in classes.infections
        ],
        "rule": wording.rule_in_words(verdict),
        "confidence": [
            (wording.label_key(name, classes), wording.display_name(name), wording.percent(value, 1))
            for name, value in sorted(verdict.confidence.items(), key=lambda item: -item[1])
        ],
    }


def _lung_rows(case: Case) -> list[LungRow]:
    rows = [
        LungRow(f"{side.capitalize()} lung", info.volume_ml, info.affected_percent, _affected_ml(info))
        for side in reversed(SIDES)  # the right lung first, as it lies in the pictures
        if (info := case.lungs.get(side)) is not None
    ]
    if len(rows) > 1:
        volume = sum(row.volume_ml for row in rows)
        affected = sum(row.affected_ml for row in rows)
        rows.append(LungRow("Both lungs", volume, 100.0 * affected / volume if volume else 0.0, affected))
    return rows


def _affected_ml(info: LungInfo) -> float:
    return float(info.volume_ml * info.affected_percent / 100.0)


def _overview_boxes(cards: list[RegionCard], artist: RegionArtist, axial: Frame, coronal: Frame) -> list[list[Box]]:
    front, feet = [], []
    for card in reversed(cards):  # infections are drawn last, over the rest
        z0, y0, x0, z1, y1, x1 = artist.index_box(card.region)
        front.append(plane_box(coronal, (z0, z1), (x0, x1), card.number, card.key))
        feet.append(plane_box(axial, (y0, y1), (x0, x1), card.number, card.key))
    return [front, feet]


def _legend(cards: list[RegionCard], classes: Classes) -> list[tuple[str, str]]:
    keys = {card.key for card in cards}
    names = [(wording.label_key(label, classes), wording.display_name(label)) for label in classes.patch_labels]
    return [(key, name) for key, name in names if key in keys]


def _facts(volume: Volume, case: Case) -> list[tuple[str, str]]:
    size = " \u00d7 ".join(str(n) for n in case.image.size)
    spacing = " \u00d7 ".join(f"{mm:.3g}" for mm in case.image.spacing_mm)
    return [
        ("Case", case.case_id),
        ("Source", case.image.source or "not known"),
        ("Modality", case.modality),
        ("Size", f"{size} voxels"),
        ("Spacing", f"{spacing} mm"),
        ("Stored orientation", volume.stored_orientation),
        ("Hounsfield units", "approximate" if volume.approximate_hu else "as stored"),
        ("Image SHA-256", case.image.sha256[:12]),
    ]

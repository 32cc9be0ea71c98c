"""Results as tables: ``cases.csv``, a line a case, and ``regions.csv``, a line a region of a CT.

What each column holds stands in ``docs/export.md``.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..case import SIDES, Case, Region
from ..case_kinds import KINDS
from ..csv_table import writing_rows
from ..report.wording import case_verdict_name
from ..verdict import Classes
from .found import Result

CASES, REGIONS = "cases.csv", "regions.csv"
_AXES = "xyz"
Row = dict[str, object]


def write_tables(results: Iterable[Result], out: Path, classes: Classes) -> list[Path]:
    """Write both tables into a folder and return their paths.

    Args:
        results: under the names that they are to have.
        out: the folder.
        classes: the class list; each label that a case or region can have is a column.
    """
    columns = case_columns(classes)
    with (
        writing_rows(out / CASES, columns, mark=True) as write_case,
        writing_rows(out / REGIONS, REGION_COLUMNS, mark=True) as write_region,
    ):
        for result in results:
            row = _case_row(result, classes)
            write_case([row.get(column) for column in columns])
            for region in _region_rows(result.case):
                write_region([region[column] for column in REGION_COLUMNS])
    return [out / CASES, out / REGIONS]


def case_columns(classes: Classes) -> list[str]:
    """The columns of ``cases.csv``."""
    labels = dict.fromkeys([*classes.infections, *(label for kind in KINDS.values() for label in kind.labels)])
    of_sides = [f"{name}_{side}" for name in ("lung_ml", "affected_percent", "opacity_probability") for side in SIDES]
    return [
        *("case_id", "patient", "modality", "verdict", "decided", "verdict_text", "infection", "confidence"),
        *(f"probability_{label}" for label in labels),
        *of_sides,
        *("location", "diagnosis", "regions", *(f"regions_{label}" for label in classes.patch_labels)),
        *("judged_by", "reader", "reader_label", "reader_location", "annotation_version", "annotation_kind"),
        *("models", "date", "reading_seconds", "model_shown", *(f"box_{side}" for side in SIDES)),
        *("study_uid", "series_uid", "image_sha256", "source", "notes"),
    ]


REGION_COLUMNS = (
    *("case_id", "region", "side", "label", "confidence", "judged_by", "model_label", "model_confidence", "score"),
    *("source", "state", "infected_ml", *(f"center_{axis}_mm" for axis in _AXES)),
    *(f"size_{axis}_mm" for axis in _AXES),
    *("slices", "reader", "date"),
)


def _case_row(result: Result, classes: Classes) -> Row:
    case = result.case
    return {
        "case_id": case.case_id,
        "patient": result.patient,
        "modality": case.modality,
        **_verdict(case),
        **_lungs(case),
        **_regions(case, classes),
        "diagnosis": case.diagnosis,
        "judged_by": judged_by(result),
        "reader": result.reader,
        "annotation_version": result.version,
        "annotation_kind": result.kind,
        "models": "; ".join(f"{name} {used.version} {used.sha256[:12]}" for name, used in sorted(case.models.items())),
        "date": result.written,
        "reading_seconds": case.reading.seconds if case.reading else None,
        "model_shown": _word(case.reading.model_shown) if case.reading else None,
        "study_uid": case.image.study_uid,
        "series_uid": case.image.series_uid,
        "image_sha256": case.image.sha256,
        "source": case.image.source,
        "notes": " ".join(case.notes),
    }


def judged_by(result: Result) -> str:
    """Who stands behind a result."""
    return "algorithm" if result.reader is None else "reader"


def _word(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"


def _verdict(case: Case) -> Row:
    verdict = case.verdict
    if verdict is None:
        return {"verdict_text": case_verdict_name(case)}
    return {
        "verdict": verdict.label,
        "decided": _word(verdict.decided),
        "verdict_text": case_verdict_name(case),
        "infection": verdict.infection.probability if verdict.infection else None,
        "confidence": verdict.exported,
        **{f"probability_{label}": value for label, value in verdict.probability.items()},
    }


def _lungs(case: Case) -> Row:
    """What is known of each lung; the share of a lung that is opaque on an X-ray is its affected share."""
    row: Row = {}
    for side, lung in case.lungs.items():
        row[f"lung_ml_{side}"], row[f"affected_percent_{side}"] = lung.volume_ml, lung.affected_percent
    if case.cxr is not None:
        row.update({f"affected_percent_{side}": 100.0 * share for side, share in (case.cxr.opacity or {}).items()})
        row.update({f"opacity_probability_{side}": value for side, value in case.cxr.sides.items()})
        row.update(
            {f"box_{side}": " ".join(f"{n:g}" for n in found.box) for side, found in case.cxr.lung_boxes.items()}
        )
        row["location"] = case.cxr.location
        said: Mapping[str, object] = case.cxr.reader or {}
        row["reader_label"], row["reader_location"] = said.get("label"), said.get("location")
    return row


def _regions(case: Case, classes: Classes) -> Row:
    if not (case.lungs or case.regions):
        return {}  # of no CT
    labels = [region.opinion[0] for region in case.regions if region.opinion is not None]
    counts = {f"regions_{label}": labels.count(label) for label in classes.patch_labels}
    return {"regions": len(case.regions), **counts}


def _region_rows(case: Case) -> Iterator[Row]:
    for region in case.regions:
        label, confidence = region.opinion or (None, None)
        mark = region.reader
        yield {
            "case_id": case.case_id,
            "region": region.id,
            "side": region.side,
            "label": label,
            "confidence": confidence,
            "judged_by": "algorithm" if mark is None else "reader",
            "model_label": region.label,
            "model_confidence": region.confidence,
            "score": region.score,
            "source": region.source,
            "state": region.state,
            "infected_ml": region.infected_ml,
            **_place(region),
            "reader": mark.name if mark else None,
            "date": (mark.at or None) if mark else None,
        }


def _place(region: Region) -> Row:
    centers = {f"center_{axis}_mm": value for axis, value in zip(_AXES, region.center_mm, strict=True)}
    sizes = {f"size_{axis}_mm": value for axis, value in zip(_AXES, region.size_mm, strict=True)}
    return {**centers, **sizes, "slices": " ".join(str(patch.slice) for patch in region.patches)}

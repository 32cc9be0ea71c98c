"""From a row of a table of chest X-rays to its case document."""

from dataclasses import dataclass, replace

from ...case import CXR_CLASSES, MODEL, READER, SIDES, Case, Cxr, ModelInfo, Vector, placed
from ...errors import NoLungsError
from ...images.radiograph import Radiograph
from ...importers.found import ImportSettings, MarksError
from ...models.store import ModelStore
from ...xray_findings import location_of
from ..lung_boxes import MODEL_NAME, LungBoxModel, find_lung_boxes
from .table import Row

FOUND_BOXES = "boxes"
"""Key of a reader's entry: which network found the lung boxes that nobody drew."""


@dataclass(frozen=True)
class FoundBoxes:
    """The lung-box network in use."""

    model: LungBoxModel
    info: ModelInfo


def network_in_use(store: ModelStore) -> FoundBoxes | None:
    """The lung-box network of a store; None where it has none.

    Raises:
        ModelError: if it is damaged.
    """
    if store.current(MODEL_NAME) is None:
        return None
    weights = store.load(MODEL_NAME)
    return FoundBoxes(LungBoxModel.load(weights), weights.info)


def radiograph_document(
    row: Row, radiograph: Radiograph, settings: ImportSettings, found: FoundBoxes | None, at: str
) -> Case | None:
    """The document of a row; None where nobody says what the picture shows.

    Args:
        row: of the table.
        radiograph: its picture.
        settings: what the user says of the data.
        found: the lung-box network, for rows without boxes; None where there is none.
        at: time of the import, ISO 8601.

    Raises:
        MarksError: if a value of the row cannot be right.
    """
    said, stated = row.get("diagnosis"), settings.diagnosis
    if said and stated and said != stated:
        raise MarksError(f"its table says {said} and --diagnosis says {stated}; leave --diagnosis out")
    diagnosis = said or stated
    if not diagnosis:
        return None
    if diagnosis not in CXR_CLASSES:
        raise MarksError(f"diagnosis {diagnosis!r} is not one of {', '.join(CXR_CLASSES)}; correct it")
    boxes, sides = row.boxes(radiograph.pixels.shape), row.sides()
    _check_inside(boxes, radiograph)
    reader = {"label": diagnosis, "name": settings.reader, "at": at}
    notes = [*radiograph.notes, _origin(row)]
    models = {}
    if sides is not None:
        reader["location"] = location_of([sides[side] for side in SIDES])
    if not boxes and found is not None:
        try:
            boxes = find_lung_boxes(radiograph, found.model).by_side()
            models = {MODEL_NAME: found.info}
            reader[FOUND_BOXES] = f"{MODEL_NAME} version {found.info.version}"
            notes.append(f"The lung boxes were found by {reader[FOUND_BOXES]}; nobody drew them.")
        except NoLungsError:
            notes.append("The lung-box network found no two lungs; the document has no lung boxes.")
    return Case(
        case_id=radiograph.case_id,
        modality="CXR",
        image=radiograph.image_info(),
        diagnosis=diagnosis,
        models=models,
        cxr=Cxr(
            lung_boxes=placed(boxes, MODEL if models else READER),
            probabilities={label: float(label == diagnosis) for label in CXR_CLASSES},
            sides={side: float(infected) for side, infected in (sides or {}).items()},
            location=reader.get("location", "none"),
            reader=reader,
        ),
        notes=tuple(notes),
    )


def timeless(case: Case) -> Case:
    """The document without the time of its reader's entry and without where the image was taken from."""
    assert case.cxr is not None
    image = replace(case.image, source=None, study_uid=None)
    return replace(case, image=image, cxr=replace(case.cxr, reader={**(case.cxr.reader or {}), "at": ""}))


def _origin(row: Row) -> str:
    source = f", source {row.get('source')}" if row.get("source") else ""
    return f"Imported: the table of chest X-rays {row.table.name}{source}."


def _check_inside(boxes: dict[str, Vector], radiograph: Radiograph) -> None:
    height, width = radiograph.pixels.shape
    for side, (x, y, w, h) in boxes.items():
        if x < -1 or y < -1 or x + w > width + 1 or y + h > height + 1:
            raise MarksError(
                f"its box of the {side} lung leaves the picture of {width} x {height} pixels; give it in pixels of "
                "this picture"
            )

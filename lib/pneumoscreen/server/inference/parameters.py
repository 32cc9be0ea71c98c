"""What a client may ask of an inference, checked before any work is done."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...case import SCHEMA, Case, Region
from ...errors import CaseError
from ...verdict import Classes
from ..failures import RequestError
from ..store.datastore_checks import require_safe

MAX_REGIONS = 200
"""More than ten times what a screening proposes."""

_RESERVED = ("image", "model", "file", "label", "session")


class Output(StrEnum):
    """What the answer holds; ``all`` is a multipart message of document and label map."""

    JSON = "json"
    IMAGE = "image"
    ALL = "all"
    DICOM_SEG = "dicom_seg"


class InferParameters(BaseModel):
    """The ``params`` of an inference. Names that are not listed are ignored: stock clients send many.

    Attributes:
        result_extension: file format of the label map.
        result_compress: whether an NRRD or NIfTI label map is compressed (``.nii.gz`` always is).
        save_label: save the case document as a label of the image.
        label_tag: under which tag.
        diagnosis: clinical diagnosis of the case, copied into the document.
        regions: regions to label (``ct_classifier``): contract regions, or centre and size only.
    """

    model_config = ConfigDict(extra="ignore", strict=True)

    result_extension: Literal[".nrrd", ".nii.gz", ".nii"] = ".nrrd"
    result_compress: bool = True
    save_label: bool = False
    label_tag: str = "original"
    diagnosis: str | None = None
    regions: list[Any] | None = Field(None, max_length=MAX_REGIONS)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "InferParameters":
        """Check parameters.

        Raises:
            RequestError: if one has a wrong type or value; the message names it.
        """
        try:
            found = cls.model_validate(dict(values))
        except ValidationError as error:
            raise RequestError(in_words(error.errors()[0], "parameter")) from None
        require_safe("parameter label_tag", found.label_tag)  # here, so that no inference is done for nothing
        return found


def in_words(error: Mapping[str, Any], kind: str) -> str:
    """One sentence of a pydantic error."""
    place = ".".join(str(part) for part in error["loc"]) or "(all)"
    return f"{kind} {place}: {error['msg']}"


def parse_object(text: str | None, name: str) -> dict[str, Any]:
    """A form field that holds a JSON object; nothing and an empty text mean an empty one.

    Raises:
        RequestError: if it is not JSON or not an object.
    """
    if not text:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"form field {name} is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise RequestError(f"form field {name} must be a JSON object, not {type(value).__name__}")
    return value


def parse_infer_params(text: str | None) -> dict[str, Any]:
    """The ``params`` of ``POST /infer``; what names the image stands in the address, never here.

    Raises:
        RequestError: if it is no JSON object or names an image or model.
    """
    params = parse_object(text, "params")
    for name in _RESERVED:
        if name in params:
            raise RequestError(f"parameter {name} is not taken from params; put it into the address")
    return params


def parse_regions(regions: list[Any], classes: Classes) -> tuple[Region, ...]:
    """Regions as a client sends them, complete or with centre and size only.

    What is left out: ``id`` becomes r1, r2, ...; ``source`` is reader where there is a reader's mark, else model;
    ``score`` 1; ``side`` is a placeholder until the lungs are known. Patches, label and confidence are computed
    anew, a reader's mark is kept.

    Raises:
        CaseError: if a region breaks the contract; the message names the field.
    """
    filled = []
    taken = {item["id"] for item in regions if isinstance(item, dict) and isinstance(item.get("id"), str)}
    for number, item in enumerate(regions, start=1):
        if not isinstance(item, dict):
            raise CaseError(f"field regions[{number - 1}] must be a JSON object")
        # A number that a named region does not carry already.
        fresh = next(f"r{n}" for n in range(number, number + len(regions) + 1) if f"r{n}" not in taken)
        # The contract wants a reader's name beside source "reader"; a bare box has none yet.
        source = "model" if item.get("reader") is None else "reader"
        entry = {"id": fresh, "source": source, "score": 1.0, "side": "left", **item}
        if isinstance(entry["id"], str):
            taken.add(entry["id"])
        filled.append({**entry, "patches": [], "label": None, "confidence": None})
    document = {
        "schema": SCHEMA,
        "case_id": "request",
        "modality": "CT",
        "image": {"size": [1, 1, 1], "spacing_mm": [1.0, 1.0, 1.0], "sha256": "unread"},
        "regions": filled,
    }
    parsed = Case.from_dict(document, classes).regions
    for number, region in enumerate(parsed):
        if min(region.size_mm) <= 0:
            raise CaseError(f"field regions[{number}].size_mm must be greater than 0")
    return parsed

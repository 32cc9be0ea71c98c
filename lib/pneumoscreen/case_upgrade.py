"""From a document of ``pneumoscreen.case/1`` to one of version 2, as plain JSON values.

Version 1 is read for ever. What version 2 asks for and version 1 cannot tell is null; what version 1 could say and
version 2 refuses is left out, so that no stored document becomes unreadable. Values that break both versions are
left as they are: the reading names them. Standard library only and Python 3.9 syntax.
"""

from typing import Any, Dict

from .case_fields import SCHEMA, SCHEMA_1, is_text, may_be_shares
from .regions import MODEL, READER, state_of
from .verdict import Classes
from .xray_findings import CXR_CLASSES

BOX_MODEL = "cxr_lung_boxes"
"""The network that finds lung boxes, by its name in ``models``."""


def upgraded(document: Dict[str, Any], classes: Classes) -> Dict[str, Any]:
    """The document in version 2; one that is not of version 1 comes back as it is."""
    if document.get("schema") != SCHEMA_1:
        return document
    result = {**document, "schema": SCHEMA}
    if isinstance(document.get("regions"), list):
        result["regions"] = [_region(item, classes) for item in document["regions"]]
    if isinstance(document.get("cxr"), dict):
        result["cxr"] = _cxr(document["cxr"], document)
    return result


def _region(region: Any, classes: Classes) -> Any:
    if not isinstance(region, dict):
        return region
    result = {**region}
    mark = region.get("reader")
    said = mark.get("label") if isinstance(mark, dict) else None
    if "state" not in region and (said is None or is_text(said)):
        result["state"] = state_of(region.get("source", MODEL), region.get("label"), said)
    if isinstance(region.get("patches"), list):
        result["patches"] = [_patch(patch, classes) for patch in region["patches"]]
    return result


def _patch(patch: Any, classes: Classes) -> Any:
    """A patch without probabilities that cannot be: nothing but the vote, which stands beside them, rests on them."""
    found = patch.get("probabilities") if isinstance(patch, dict) else None
    if not isinstance(found, dict) or not all(_is_probability(value) for value in found.values()):
        return patch
    return patch if may_be_shares(found, classes.patch_labels) else {**patch, "probabilities": {}}


def _cxr(cxr: Dict[str, Any], document: Dict[str, Any]) -> Dict[str, Any]:
    result, verdict, models = {**cxr}, document.get("verdict"), document.get("models")
    boxes = cxr.get("lung_boxes")
    if isinstance(boxes, dict):
        # Version 1 did not say who placed a box: where a reader spoke and no network for boxes is named, the reader.
        is_drawn = isinstance(cxr.get("reader"), dict) and not (isinstance(models, dict) and BOX_MODEL in models)
        source = READER if is_drawn else MODEL
        result["lung_boxes"] = {
            side: {"box": box, "source": source} if isinstance(box, list) else box for side, box in boxes.items()
        }
    shares = cxr.get("probabilities")
    if isinstance(shares, dict) and all(_is_probability(value) for value in shares.values()):
        # The verdict, which stands beside them, is what counted.
        result["probabilities"] = shares if may_be_shares(shares, CXR_CLASSES) else {}
    if isinstance(verdict, dict) and verdict.get("label") == "healthy" and is_text(cxr.get("location")):
        result["location"] = "none" if cxr["location"] in ("left", "right", "bipulmonary") else cxr["location"]
    reader = cxr.get("reader")
    if isinstance(reader, dict) and reader.get("label") == "healthy" and is_text(reader.get("location")):
        known = reader["location"] in ("left", "right", "bipulmonary")
        result["reader"] = {**reader, "location": "none" if known else reader["location"]}
    return result


def _is_probability(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0.0 <= value <= 1.0

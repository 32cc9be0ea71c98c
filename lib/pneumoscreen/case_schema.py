"""The JSON Schema of the case document, generated from its dataclasses.

``case.schema.json`` beside this file is what ``python -m pneumoscreen.case_schema`` writes; it ships with the package,
for programs in other languages. The types come from the dataclasses, the ranges from ``RANGES``. What a schema cannot
say - which labels a site has, probabilities that sum to 1, fields that go together - only ``Case.from_dict`` checks.
"""

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from .case import (
    CXR_LOCATIONS,
    MODALITIES,
    SCHEMA,
    Case,
    Cxr,
    ImageInfo,
    LungBox,
    LungInfo,
    ModelInfo,
    Patch,
    ReaderMark,
    Reading,
    Region,
)
from .regions import SIDES, SOURCES, STATES
from .verdict import RULES, Infection, Verdict

SCHEMA_FILE = Path(__file__).with_name("case.schema.json")
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_SHARE = {"minimum": 0, "maximum": 1}
_SHARES = {"additionalProperties": {"type": "number", **_SHARE}}
_BY_SIDE = {"propertyNames": {"enum": list(SIDES)}}
_NAMED = {"minLength": 1}

RANGES: Mapping[tuple[type[Any], str], Mapping[str, Any]] = {
    (Case, "schema"): {"const": SCHEMA},
    (Case, "case_id"): _NAMED,
    (Case, "modality"): {"enum": list(MODALITIES)},
    (Case, "lungs"): _BY_SIDE,
    (Case, "timings_s"): {"additionalProperties": {"type": "number", "minimum": 0}},
    (ImageInfo, "size"): {"minItems": 2, "maxItems": 3, "items": {"type": "integer", "minimum": 1}},
    (ImageInfo, "spacing_mm"): {"minItems": 2, "maxItems": 3, "items": {"type": "number", "exclusiveMinimum": 0}},
    (ImageInfo, "sha256"): _NAMED,
    (ModelInfo, "version"): {"minimum": 0},
    (ModelInfo, "sha256"): _NAMED,
    (LungInfo, "volume_ml"): {"minimum": 0},
    (LungInfo, "affected_percent"): {"minimum": 0, "maximum": 100},
    (Region, "id"): _NAMED,
    (Region, "source"): {"enum": list(SOURCES)},
    (Region, "center_mm"): {"minItems": 3, "maxItems": 3},
    (Region, "size_mm"): {"minItems": 3, "maxItems": 3, "items": {"type": "number", "exclusiveMinimum": 0}},
    (Region, "score"): _SHARE,
    (Region, "side"): {"enum": list(SIDES)},
    (Region, "confidence"): _SHARE,
    (Region, "infected_ml"): {"minimum": 0},
    (Region, "state"): {"enum": list(STATES)},
    (Patch, "slice"): {"minimum": 0},
    (Patch, "confidence"): _SHARE,
    (Patch, "distance_from_edge"): _SHARE,
    (Patch, "probabilities"): _SHARES,
    (ReaderMark, "name"): _NAMED,
    (ReaderMark, "at"): _NAMED,
    (ReaderMark, "confidence"): _SHARE,
    (Verdict, "rule"): {"enum": list(RULES)},
    (Verdict, "probability"): _SHARES,
    (Verdict, "confidence"): _SHARES,
    (Infection, "probability"): _SHARE,
    (Infection, "calibrated_on"): _NAMED,
    (Infection, "slope"): {"minimum": 0},
    (Reading, "seconds"): {"minimum": 0},
    (Cxr, "lung_boxes"): _BY_SIDE,
    (Cxr, "probabilities"): _SHARES,
    (Cxr, "sides"): {**_SHARES, **_BY_SIDE},
    (Cxr, "location"): {"enum": list(CXR_LOCATIONS)},
    (Cxr, "opacity"): {**_SHARES, **_BY_SIDE},
    (Cxr, "severity"): {"additionalProperties": {"type": "number", "minimum": 0}},
    (LungBox, "box"): {"minItems": 4, "maxItems": 4},
    (LungBox, "source"): {"enum": list(SOURCES)},
}
"""What a field's type does not say of its values, in the words of JSON Schema."""

_PLAIN: Mapping[Any, str] = {str: "string", float: "number", int: "integer", bool: "boolean"}


def case_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a case document as it is written."""
    definitions: dict[str, Any] = {}
    _define(Case, definitions)
    whole = definitions.pop("Case")
    whole["required"] = ["schema", *whole["required"]]
    return {
        "$schema": DIALECT,
        "title": SCHEMA,
        "description": "One screened case of PneumoScreen. Research use only.",
        **whole,
        "allOf": [
            {
                "if": {"properties": {"modality": {"const": "CT"}}},
                "then": {
                    "required": ["regions"],
                    "properties": {"regions": {"type": "array"}, "cxr": {"type": "null"}},
                },
                "else": {"properties": {"regions": {"maxItems": 0}, "lungs": {"maxProperties": 0}}},
            }
        ],
        "$defs": dict(sorted(definitions.items())),
    }


def schema_text() -> str:
    """What the schema's file holds."""
    return json.dumps(case_schema(), indent=2) + "\n"


def _define(kind: type[Any], definitions: dict[str, Any]) -> None:
    """Put the schema of a dataclass among the definitions, with all that it needs."""
    if kind.__name__ in definitions:
        return
    definitions[kind.__name__] = {}
    hints = get_type_hints(kind)
    properties = {f.name: _of_field(kind, f, hints[f.name], definitions) for f in fields(kind)}
    definitions[kind.__name__] = {
        "type": "object",
        "properties": properties,
        "required": [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING],
        "additionalProperties": False,
    }


def _of_field(kind: type[Any], of: Field[Any], hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    found = _of_type(hint, definitions)
    holder = found["anyOf"][0] if "anyOf" in found else found
    holder.update(RANGES.get((kind, of.name), {}))
    is_optional = of.default is not MISSING or of.default_factory is not MISSING
    if is_optional and "anyOf" not in found and (kind, of.name) != (Case, "schema"):
        # What may be missing may be null as well.
        return {"anyOf": [found, {"type": "null"}]}
    return found


def _of_type(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Union:
        value = next(kind for kind in inner if kind is not type(None))
        return {"anyOf": [_of_type(value, definitions), {"type": "null"}]}
    if origin is tuple:
        return {"type": "array", "items": _of_type(inner[0], definitions)}
    if origin is dict:
        return {"type": "object", "additionalProperties": True if inner[1] is Any else _of_type(inner[1], definitions)}
    if isinstance(hint, type) and is_dataclass(hint):
        _define(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    return {"type": _PLAIN[hint]}


def main() -> None:
    """Write the schema's file anew."""
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main()

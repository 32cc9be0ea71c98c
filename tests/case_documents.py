"""Case documents for tests: samples of both versions, and strategies that make any."""

import copy
from typing import Any

from hypothesis import strategies as st

from pneumoscreen.case import Case, ImageInfo, LungInfo, ModelInfo, Patch, ReaderMark, Reading, Region
from pneumoscreen.evidence import Calibration
from pneumoscreen.verdict import DEFAULT_CLASSES

CONTRACT: dict[str, Any] = {
    "schema": "pneumoscreen.case/2",
    "case_id": "ct-0007",
    "modality": "CT",
    "image": {
        "size": [512, 512, 70],
        "spacing_mm": [0.7, 0.7, 5.0],
        "sha256": "ab12",
        "series_uid": None,
        "source": "scans/ct-0007",
        "study_uid": "1.2.840",
    },
    "diagnosis": None,
    "lungs": {
        "left": {"volume_ml": 2100.5, "affected_percent": 3.1},
        "right": {"volume_ml": 2530.0, "affected_percent": 9.8},
    },
    "regions": [
        {
            "id": "r1",
            "source": "model",
            "center_mm": [61.2, 14.0, -210.0],
            "size_mm": [32.0, 28.0, 25.0],
            "score": 0.93,
            "side": "left",
            "patches": [
                {
                    "slice": 41,
                    "label": "covid19",
                    "confidence": 0.91,
                    "distance_from_edge": 0.04,
                    "probabilities": {"covid19": 0.91, "influenza_a": 0.06, "irrelevant": 0.03},
                },
            ],
            "label": "covid19",
            "confidence": 0.91,
            "reader": {"label": "covid19", "name": "reader-a", "at": "2026-11-22T10:00:00Z"},
            "infected_ml": 65.1,
            "state": "accepted",
        }
    ],
    "verdict": {
        "label": "covid19",
        "rule": "softmax",
        "probability": {"covid19": 0.94, "influenza_a": 0.4},
        "confidence": {"covid19": 0.63, "influenza_a": 0.37},
        "decided": True,
        "infection": {"probability": 0.97, "calibrated_on": "60 phantoms", "intercept": -3.0, "slope": 1.5},
    },
    "models": {"ct_candidates": {"version": 3, "sha256": "…"}, "ct_classifier": {"version": 5, "sha256": "…"}},
    "timings_s": {"read": 0.4, "lungs": 1.2, "candidates": 3.9, "classify": 0.6, "total": 6.3},
    "notes": ["The axes were flipped."],
    "reading": {"seconds": 81.5, "model_shown": True},
}
RADIOGRAPH: dict[str, Any] = {
    "schema": "pneumoscreen.case/2",
    "case_id": "cxr-1",
    "modality": "CXR",
    "image": {
        "size": [512, 490],
        "spacing_mm": [0.2, 0.2],
        "sha256": "cd34",
        "series_uid": "1.2.3",
        "source": None,
        "study_uid": None,
    },
    "diagnosis": "cap",
    "verdict": None,
    "models": {},
    "timings_s": {},
    "cxr": {
        "lung_boxes": {
            "left": {"box": [10.0, 20.0, 100.0, 200.0], "source": "model"},
            "right": {"box": [150.0, 20.0, 100.0, 200.0], "source": "reader"},
        },
        "probabilities": {"covid19": 0.2, "healthy": 0.1, "cap": 0.7},
        "sides": {"left": 0.9, "right": 0.1},
        "location": "left",
        "reader": None,
        "opacity": {"left": 0.2, "right": 0.0},
        "severity": None,
    },
    "notes": [],
    "reading": None,
}


CONTRACT_1: dict[str, Any] = {
    "schema": "pneumoscreen.case/1",
    "case_id": "ct-0007",
    "modality": "CT",
    "image": {"size": [512, 512, 70], "spacing_mm": [0.7, 0.7, 5.0], "sha256": "ab12", "series_uid": None},
    "diagnosis": None,
    "lungs": {
        "left": {"volume_ml": 2100.5, "affected_percent": 3.1},
        "right": {"volume_ml": 2530.0, "affected_percent": 9.8},
    },
    "regions": [
        {
            "id": "r1",
            "source": "model",
            "center_mm": [61.2, 14.0, -210.0],
            "size_mm": [32.0, 28.0, 25.0],
            "score": 0.93,
            "side": "left",
            "patches": [
                {
                    "slice": 41,
                    "label": "covid19",
                    "confidence": 0.91,
                    "distance_from_edge": 0.04,
                    "probabilities": {"covid19": 0.91, "influenza_a": 0.06, "irrelevant": 0.03},
                },
            ],
            "label": "covid19",
            "confidence": 0.91,
            "reader": {"label": "covid19", "name": "reader-a", "at": "2026-11-22T10:00:00Z"},
        }
    ],
    "verdict": {
        "label": "covid19",
        "rule": "softmax",
        "probability": {"covid19": 0.94, "influenza_a": 0.4},
        "confidence": {"covid19": 0.63, "influenza_a": 0.37},
    },
    "models": {"ct_candidates": {"version": 3, "sha256": "…"}, "ct_classifier": {"version": 5, "sha256": "…"}},
    "timings_s": {"read": 0.4, "lungs": 1.2, "candidates": 3.9, "classify": 0.6, "total": 6.3},
    "notes": ["The axes were flipped."],
}
RADIOGRAPH_1: dict[str, Any] = {
    "schema": "pneumoscreen.case/1",
    "case_id": "cxr-1",
    "modality": "CXR",
    "image": {"size": [512, 490], "spacing_mm": [0.2, 0.2], "sha256": "cd34", "series_uid": "1.2.3"},
    "diagnosis": "cap",
    "verdict": None,
    "models": {},
    "timings_s": {},
    "cxr": {
        "lung_boxes": {"left": [10.0, 20.0, 100.0, 200.0], "right": [150.0, 20.0, 100.0, 200.0]},
        "probabilities": {"covid19": 0.2, "healthy": 0.1, "cap": 0.7},
        "sides": {"left": 0.9, "right": 0.1},
        "location": "left",
        "reader": None,
    },
    "notes": [],
}


def changed(path: str, value: Any, document: dict[str, Any] = CONTRACT) -> dict[str, Any]:
    """The document with the field at a path, such as ``regions.0.score``, replaced."""
    result = copy.deepcopy(document)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    holder: Any = result
    for part in parents:
        holder = holder[part]
    holder[last] = value
    return result


def version_1(document: dict[str, Any]) -> dict[str, Any]:
    """A document as version 1 had it, without what version 2 brought."""
    result = copy.deepcopy(document)
    result["schema"] = "pneumoscreen.case/1"
    del result["reading"], result["image"]["source"], result["image"]["study_uid"]
    for region in result.get("regions", ()):
        del region["infected_ml"], region["state"]
    if result["verdict"]:
        del result["verdict"]["decided"], result["verdict"]["infection"]
    if "cxr" in result:
        del result["cxr"]["opacity"], result["cxr"]["severity"]
        result["cxr"]["lung_boxes"] = {side: found["box"] for side, found in result["cxr"]["lung_boxes"].items()}
    return result


text = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)
unit = st.floats(0.0, 1.0)
length = st.floats(1e-3, 1e4)
label = st.sampled_from(DEFAULT_CLASSES.patch_labels)
point = st.tuples(*[st.floats(-1e5, 1e5)] * 3)
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def paths(value: Any, prefix: str = "") -> list[str]:
    """The path of every field of a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, item in items:
        path = f"{prefix}.{key}" if prefix else str(key)
        found += [path, *paths(item, path)]
    return found


@st.composite
def shares(draw: st.DrawFn) -> dict[str, float]:
    """Probabilities of a patch."""
    weights = [draw(st.floats(0.01, 1.0)) for _ in DEFAULT_CLASSES.patch_labels]
    return {name: weight / sum(weights) for name, weight in zip(DEFAULT_CLASSES.patch_labels, weights, strict=True)}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Screened CT cases, some of them read by a reader."""
    patch = st.builds(Patch, st.integers(0, 999), label, unit, unit, st.just({}) | shares())
    mark = st.builds(ReaderMark, label, text, text, unit)
    regions = []
    for i in range(draw(st.integers(0, 4))):
        reader = draw(st.none() | mark)
        source = draw(st.sampled_from(("model", "reader"))) if reader else "model"
        patches = tuple(draw(st.lists(patch, max_size=3)))
        region = Region(f"r{i}", source, draw(point), draw(st.tuples(length, length, length)), draw(unit),
                        draw(st.sampled_from(("left", "right"))), patches, reader=reader,
                        infected_ml=draw(st.none() | st.floats(0.0, 500.0)))  # fmt: skip
        regions.append(region.with_vote() if patches else region)
    size = draw(st.tuples(*[st.integers(1, 2000)] * 3))
    maybe_text = st.none() | text
    case = Case(
        case_id=draw(text),
        modality="CT",
        image=ImageInfo(size, draw(st.tuples(length, length, length)), draw(text),
                        draw(maybe_text), draw(maybe_text), draw(maybe_text)),
        diagnosis=draw(st.none() | st.sampled_from(DEFAULT_CLASSES.case_labels)),
        lungs=draw(st.dictionaries(st.sampled_from(("left", "right")), st.builds(LungInfo, length, unit))),
        regions=tuple(regions),
        models=draw(st.dictionaries(text, st.builds(ModelInfo, st.integers(1, 99), text), max_size=2)),
        timings_s=draw(st.dictionaries(text, length, max_size=3)),
        notes=tuple(draw(st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=9), max_size=2))),
        reading=draw(st.none() | st.builds(Reading, st.none() | length, st.none() | st.booleans())),
    )  # fmt: skip
    calibration = draw(st.none() | st.builds(Calibration, st.floats(-9, 9), st.floats(0, 9), text))
    return case.with_verdict(calibration=calibration) if draw(st.booleans()) else case

"""A case of unlike regions, left and right, for the tests of the extension's logic."""

from dataclasses import replace
from typing import Any

from pneumoscreen.case import Case, ImageInfo, LungInfo, Patch, Region


def patches(label: str, confidence: float, first: int = 10) -> tuple[Patch, ...]:
    """Three patches that agree."""
    return tuple(Patch(first + i, label, confidence, 0.1 * i, {label: confidence}) for i in range(3))


def region(number: int, center_mm: tuple[float, float, float], side: str, label: str, confidence: float) -> Region:
    """A region of the model with its vote."""
    return Region(
        f"r{number}", "model", center_mm, (20.0, 16.0, 12.0), 0.9, side, patches(label, confidence)
    ).with_vote()


def screened(**changes: Any) -> Case:
    """Two regions in the left lung (+x), one in the right (-x), each another label."""
    fields = {
        "case_id": "ct-0007",
        "modality": "CT",
        "image": ImageInfo((128, 128, 30), (2.0, 2.0, 5.0), "ab" * 32),
        "lungs": {"left": LungInfo(2100.0, 3.1), "right": LungInfo(2500.0, 0.0)},
        "regions": (
            region(1, (80.0, 5.0, -200.0), "left", "covid19", 0.9),
            region(2, (60.0, -30.0, -150.0), "left", "influenza_a", 0.6),
            region(3, (-75.0, 12.0, -180.0), "right", "irrelevant", 0.8),
        ),
        "notes": ("the scan was turned",),
    }
    return Case(**{**fields, **changes}).with_verdict()


def measured() -> Case:
    """Six regions of the model: two small, one large, one irrelevant and large, one of another type."""
    places = [
        ("covid19", 0.9, 1.0),
        ("irrelevant", 0.8, 9.0),
        ("influenza_a", 0.7, 4.0),
        ("covid19", 0.95, 12.5),
        ("covid19", 0.6, 2.0),
        ("covid19", 0.99, 3.0),
    ]
    regions = [
        replace(region(i, (80.0, 5.0, -200.0 + 10 * i), "left", label, sure), infected_ml=ml)
        for i, (label, sure, ml) in enumerate(places, start=1)
    ]
    return screened(regions=tuple(regions))


def many(count: int = 200) -> Case:
    """A case of many small regions, beside and over one another."""
    first = measured().regions[0]
    places = [(80.0 - i % 20 * 8.0, 50.0 - i // 20 * 10.0, -60.0 + i / 2) for i in range(count)]
    return screened(
        case_id="many", regions=tuple(replace(first, id=f"r{i}", center_mm=place) for i, place in enumerate(places))
    )

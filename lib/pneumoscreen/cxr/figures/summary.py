"""Everything that an evaluation of the X-ray method measures, computed once: for text, JSON file and page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ... import RESEARCH_USE_ONLY, __version__
from ...case import CXR_CLASSES, ModelInfo
from ...evaluation.figures import LeftOut
from ...metrics.bootstrap import LEVEL, RESAMPLES
from .figures import ClassFigures, class_figures
from .lungs import BoxFigures, LocalizationFigures, box_figures, localization_figures
from .outcome import RadiographOutcome
from .readers import OperatingPoint

PUBLISHED = {"accuracy": 0.9365, "sensitivity": 0.9092, "specificity": 0.9262}
"""The final scheme of Wang et al. 2020 on 61 radiographs of one hospital (21 COVID-19, 20 CAP, 20 healthy)."""

PUBLISHED_READERS = {"accuracy": 0.8814, "sensitivity": 0.7754, "specificity": 0.8624}
"""Their average radiologist on the same."""

PUBLISHED_LOCALIZATION = 0.9303
"""Their accuracy of the localisation, on their own pictures."""

COUNTED = (
    "Accuracy: right pictures of all. Sensitivity and specificity: of each class against the rest, then the mean over "
    "the classes (macro). The paper does not say how its three figures were averaged."
)


@dataclass(frozen=True)
class RadiographPopulation:
    """On whom the figures were measured.

    Attributes:
        source: where the radiographs come from.
        how: side of the split by patient, or the kind of cross-validation; None for phantoms.
        patients: number of patients.
        pictures: number of radiographs, those that could not be screened included.
        labels: number of radiographs by class.
        with_sides: number whose affected side was judged.
        with_boxes: number whose lung boxes were judged.
        models: versions of the networks; empty where they were trained for the evaluation alone.
    """

    source: str
    how: str | None
    patients: int
    pictures: int
    labels: dict[str, int]
    with_sides: int
    with_boxes: int
    models: Mapping[str, ModelInfo]

    @classmethod
    def of(
        cls,
        outcomes: Sequence[RadiographOutcome],
        source: str,
        how: str | None,
        models: Mapping[str, ModelInfo] | None = None,
    ) -> "RadiographPopulation":
        """The population of outcomes."""
        return cls(
            source=source,
            how=how,
            patients=len({outcome.patient for outcome in outcomes}),
            pictures=len(outcomes),
            labels={name: sum(outcome.label == name for outcome in outcomes) for name in CXR_CLASSES},
            with_sides=sum(outcome.has_sides for outcome in outcomes),
            with_boxes=sum(outcome.has_boxes for outcome in outcomes),
            models=dict(models or {}),
        )

    def sentence(self) -> str:
        """The population in words."""
        counts = ", ".join(f"{name} {count}" for name, count in self.labels.items())
        how = f"; {self.how}" if self.how else ""
        return f"{self.source}{how}: {self.pictures} X-rays of {self.patients} patients ({counts})"

    def to_dict(self) -> dict[str, Any]:
        """The population as plain JSON types."""
        return {**vars(self), "models": {name: vars(model) for name, model in self.models.items()}}


@dataclass(frozen=True)
class RadiographSummary:
    """The figures of an evaluation; a part that nothing was measured for is None."""

    population: RadiographPopulation
    outcomes: tuple[RadiographOutcome, ...]
    left_out: tuple[LeftOut, ...]
    classes: ClassFigures | None
    localization: LocalizationFigures | None
    boxes: BoxFigures | None
    readers: tuple[OperatingPoint, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON types."""
        parts = {"classes": self.classes, "localization": self.localization, "boxes": self.boxes}
        return {
            "program": f"pneumoscreen {__version__}",
            "notice": RESEARCH_USE_ONLY,
            "population": self.population.to_dict(),
            "intervals": f"{LEVEL:.0%}, bootstrap of {RESAMPLES} draws of patients",
            "counted": COUNTED,
            "published": {
                "final_scheme": PUBLISHED,
                "average_radiologist": PUBLISHED_READERS,
                "localization_accuracy": PUBLISHED_LOCALIZATION,
            },
            **{name: part.to_dict() if part else None for name, part in parts.items()},
            "readers": [point.to_dict() for point in self.readers],
            "outcomes": [outcome.to_dict() for outcome in self.outcomes],
            "left_out": [case._asdict() for case in self.left_out],
        }


def summarize_radiographs(
    outcomes: Sequence[RadiographOutcome],
    population: RadiographPopulation,
    left_out: Sequence[LeftOut] = (),
    readers: Sequence[OperatingPoint] = (),
) -> RadiographSummary:
    """Compute every figure of the outcomes."""
    return RadiographSummary(
        population,
        tuple(outcomes),
        tuple(left_out),
        class_figures(outcomes),
        localization_figures(outcomes),
        box_figures(outcomes),
        tuple(readers),
    )

"""The figures of monitoring one by one, as programs that watch a server take them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .advice import Advice
from .summary import Monitoring

HELP = {
    "monitored_submissions": "Newest submissions of readers that count",
    "monitored_scans": "Screened images that are compared",
    "agreement_ratio": "Share of what readers, having seen the models in use, left or changed, by figure",
    "agreement_items": "Number of items behind each agreement_ratio",
    "calibration_error": "Expected calibration error of the models in use",
    "calibration_auc": "Area under the ROC curve of the models in use",
    "drift_distance": "Kolmogorov-Smirnov distance of the newest images from the first ones",
    "drift_alarm": "1 where a figure of the images has drifted",
    "training_distance": "Kolmogorov-Smirnov distance of the newest images from those that a network has learnt from",
    "training_alarm": "1 where a figure of the newest images differs from those that a network has learnt from",
    "retrain_advice": "1 for what is recommended",
}
"""What each figure is, by name."""


@dataclass(frozen=True)
class Reading:
    """One value of one figure."""

    name: str
    labels: Mapping[str, str]
    value: float


def readings_of(monitoring: Monitoring) -> Iterator[Reading]:
    """All values; labels hold names that the program gave, never of a reader, case or file."""
    for found in monitoring.modalities:
        of = {"modality": found.records.modality}
        yield Reading("monitored_submissions", of, len(found.records.submissions))
        yield Reading("monitored_scans", of, len(found.records.scans))
        for name, share in found.in_use.shares.items():
            yield Reading("agreement_items", {**of, "figure": name}, share.whole)
            if share.whole:
                yield Reading("agreement_ratio", {**of, "figure": name}, share.part / share.whole)
        for calibration in found.calibrations:
            if calibration.models != found.records.models:
                continue
            if calibration.error is not None:
                yield Reading("calibration_error", of, calibration.error.estimate)
            if calibration.auc is not None:
                yield Reading("calibration_auc", of, calibration.auc.estimate)
        for drift in found.drifts:
            if drift.distance is not None:
                yield Reading("drift_distance", {**of, "figure": drift.feature.key}, drift.distance)
                yield Reading("drift_alarm", {**of, "figure": drift.feature.key}, float(drift.is_alarm))
        for network in found.training:
            for drift in network.drifts:
                if drift.distance is not None:
                    named = {**of, "network": network.network, "figure": drift.feature.key}
                    yield Reading("training_distance", named, drift.distance)
                    yield Reading("training_alarm", named, float(drift.is_alarm))
        for advice in Advice:
            is_said = advice is found.recommendation.advice
            yield Reading("retrain_advice", {**of, "advice": advice.value}, float(is_said))

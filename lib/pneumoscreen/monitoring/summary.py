"""Everything that monitoring tells, computed once: for page, JSON file, terminal and Prometheus."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import RESEARCH_USE_ONLY, __version__
from ..case_kinds import KINDS
from ..evaluation.cautions import few_patients
from ..evaluation.figures import Share
from ..evaluation.reader_study import Condition
from ..metrics.agreement import Agreement
from ..metrics.bootstrap import LEVEL, RESAMPLES
from ..report.wording import plural
from .advice import Recommendation, recommend
from .agreement import (
    AgreementRow,
    Change,
    change_of,
    labels_changed,
    periods_of,
    relabelled,
    row_of,
    rows_by,
    seen,
    settled_share,
    sides_changed,
)
from .calibration import CalibrationInUse, calibrations, not_known
from .drift import LEAST, Drift, drifts_of, too_few
from .records import Records
from .training_inputs import CardOf, TrainingInputs, beside_training

SEEN, NOT_SEEN = "model shown", "model shown after the diagnosis"
NO_MODELS = "no models named"


@dataclass(frozen=True)
class MonitoringOptions:
    """What is compared with what.

    Attributes:
        cases: submissions a period; None takes months.
        reference: patients whose first images are the reference, at most.
        newest: patients that count as the newest, at most.
        reader_name: what a reader is called.
    """

    cases: int | None = None
    reference: int = 100
    newest: int = 50
    reader_name: Callable[[str], str] = str


@dataclass(frozen=True)
class ModalityMonitoring:
    """The model in use on one modality.

    Attributes:
        records: what the folder holds.
        by_condition: agreement of readers who had seen the model, and of those who had not.
        by_period: agreement by period, of readers who had seen the model.
        by_models: likewise, by models; those in use last.
        by_reader: likewise, by reader.
        in_use: likewise, of the models in use.
        settled: adjudicated cases that were settled as the model had said.
        change: of agreement with the models in use.
        labels: readers' labels of cases beside the model's.
        relabelled: regions by the model's label and the reader's.
        sides: X-rays by the model's affected side and the reader's, where they differ.
        calibrations: by models, those in use first.
        not_known: last words on cases of which the model's probability is not kept.
        drifts: figures of the images.
        training: the newest images beside those that each network in use has learnt from.
        recommendation: what to do.
    """

    records: Records
    by_condition: list[AgreementRow]
    by_period: list[AgreementRow]
    by_models: list[AgreementRow]
    by_reader: list[AgreementRow]
    in_use: AgreementRow
    settled: Share
    change: Change | None
    labels: Agreement | None
    relabelled: dict[tuple[str, str], int]
    sides: dict[tuple[str, str], int]
    calibrations: list[CalibrationInUse]
    not_known: int
    drifts: list[Drift]
    training: list[TrainingInputs]
    recommendation: Recommendation

    @property
    def title(self) -> str:
        """What the modality is called."""
        return KINDS[self.records.modality].short

    @property
    def alarms(self) -> list[str]:
        """A sentence for each figure that has drifted."""
        return [drift.sentence(self.records.modality) for drift in self.drifts if drift.is_alarm]

    @property
    def differences(self) -> list[str]:
        """A sentence for each figure in which the newest images differ from the training's, or that cannot be told."""
        return [sentence for each in self.training for sentence in each.sentences(self.records.modality)]

    def not_tested(self) -> list[str]:
        """In sentences, why drift could not be looked for."""
        return too_few(self.records, self.drifts)

    def cautions(self) -> list[str]:
        """Sentences on what the figures cannot say, the weightiest first."""
        submissions = self.records.submissions
        patients = len({one.patient for one in submissions})
        found = few_patients(patients) if patients else []
        conditions = [row.name for row in self.by_condition]
        if SEEN in conditions:
            way_out = (
                f"The row “{NOT_SEEN}” is free of that."
                if NOT_SEEN in conditions
                else "Have some cases read before the model is shown."
            )
            found.append(
                "Readers who have seen the model follow it more often than others would: agreement and calibration are "
                f"then too good. {way_out}"
            )
        not_told = sum(one.condition is Condition.NOT_TOLD for one in submissions)
        if not_told:
            found.append(
                f"Whether the model was shown is not told of {plural(not_told, 'submission')}; they count as “{SEEN}”."
            )
        unsaid = sum(one.said is None for one in submissions)
        if unsaid:
            found.append(
                f"{plural(unsaid, 'submission')} without a diagnosis left something open; the verdict of these is not "
                "compared."
            )
        lost = sum(one.said is not None and one.by_model is None for one in submissions)
        if lost:
            found.append(f"Of {plural(lost, 'submission')} the screening by those models is not kept: not compared.")
        if self.not_known:
            found.append(
                f"Of {plural(self.not_known, 'case')} with a last word the model's probability is not kept; they are "
                "not in the calibration."
            )
        if self.records.left_out:
            found.append(f"Left out for another list of classes: {plural(self.records.left_out, 'submission')}.")
        if self.records.imports:
            found.append(f"Imported labels are not compared: {self.records.imports}.")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Every figure as plain JSON types."""
        rows = {name: getattr(self, name) for name in ("by_condition", "by_period", "by_models", "by_reader")}
        return {
            "modality": self.records.modality,
            "models_in_use": self.records.models,
            "submissions": len(self.records.submissions),
            "scans": len(self.records.scans),
            "recommendation": self.recommendation.to_dict(),
            "alarms": self.alarms,
            "cautions": [*self.cautions(), *self.not_tested()],
            "agreement": {name: [row.to_dict() for row in found] for name, found in rows.items()},
            "settled": self.settled.to_dict(),
            "change": None if self.change is None else self.change.to_dict(),
            "labels": None if self.labels is None else self.labels.to_dict(),
            "relabelled": [{"from": old, "to": new, "regions": n} for (old, new), n in self.relabelled.items()],
            "sides": [{"from": old, "to": new, "images": n} for (old, new), n in self.sides.items()],
            "calibration": [found.to_dict() for found in self.calibrations],
            "drift": [drift.to_dict() for drift in self.drifts],
            "training": [each.to_dict() for each in self.training],
            "differences_from_training": self.differences,
        }


@dataclass(frozen=True)
class Monitoring:
    """The model in use on every modality of a folder; empty where nothing was screened or submitted."""

    source: str
    options: MonitoringOptions
    modalities: list[ModalityMonitoring] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Every figure as plain JSON types."""
        return {
            "notice": RESEARCH_USE_ONLY,
            "program": __version__,
            "source": self.source,
            "intervals": f"{LEVEL:.0%}, Wilson, or percentile bootstrap with {RESAMPLES} draws of whole patients",
            "period": "month" if self.options.cases is None else f"{self.options.cases} submissions",
            "reference_patients": self.options.reference,
            "newest_patients": self.options.newest,
            "least_patients": LEAST,
            "modalities": [found.to_dict() for found in self.modalities],
        }


def monitoring_of(records: Sequence[Records], source: str, options: MonitoringOptions, card_of: CardOf) -> Monitoring:
    """Compute every figure.

    Args:
        records: of each modality.
        source: where they come from, in words.
        options: what is compared with what.
        card_of: the cards of the networks.
    """
    return Monitoring(source, options, [_of_modality(found, options, card_of) for found in records])


def _of_modality(records: Records, options: MonitoringOptions, card_of: CardOf) -> ModalityMonitoring:
    submissions = records.submissions
    had_seen = seen(submissions, True)
    conditions = ((SEEN, had_seen), (NOT_SEEN, seen(submissions, False)))
    by_models = rows_by(records, had_seen, lambda one: one.models or NO_MODELS)
    in_use = row_of(records.models, records, [one for one in had_seen if one.models == records.models])
    change = change_of(had_seen, records.models, options.newest, LEAST)
    calibrated = calibrations(records)
    current = next((found for found in calibrated if found.models == records.models), None)
    drifts = drifts_of(records, options.reference, options.newest)
    return ModalityMonitoring(
        records=records,
        by_condition=[row_of(name, records, group) for name, group in conditions if group],
        by_period=rows_by(records, had_seen, periods_of(had_seen, options.cases)),
        by_models=by_models,
        by_reader=sorted(
            rows_by(records, had_seen, lambda one: options.reader_name(one.reader)), key=lambda row: row.name
        ),
        in_use=in_use,
        settled=settled_share(records.last_words),
        change=change,
        labels=labels_changed(records, had_seen),
        relabelled=relabelled(submissions),
        sides=sides_changed(submissions),
        calibrations=calibrated,
        not_known=not_known(records),
        drifts=drifts,
        training=beside_training(records, options.newest, card_of),
        recommendation=recommend(in_use, change, current, drifts),
    )

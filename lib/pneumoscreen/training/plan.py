"""What a training is made of, fixed when it begins: settings, cases, the labels that counted then, and the weights.

Labels go on arriving while a training runs for hours. ``plan.json`` and a copy of every document keep what it began
with, so that a run that was interrupted - even while its cases were being prepared - goes on with exactly that.
``prepared.json`` says which of the cases could be used; from then on nothing is looked up in the studies any more.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..config import Settings
from ..errors import ConfigError
from ..models.atomic_files import replace_durably
from ..studies.annotations import AnnotationStore
from ..studies.cases import Study, find_scans
from ..studies.folder_split import SPLIT_FILE
from ..studies.split import Side, SplitSettings, side_of
from .status import PLAN_FILE

FREE_SETTINGS = {"checkpoint_epochs", "validate_every", "save_every", "validation_cases", "workers", "device", "gate"}
"""Settings that change nothing of what is learnt: a resumed run may have others."""

PREPARED_FILE, PUBLICATION_FILE = "prepared.json", "publication.json"
DOCUMENTS_FOLDER, CHECKPOINTS = "documents", "checkpoints"
_SCHEMA = "pneumoscreen.training-plan/1"


@dataclass(frozen=True)
class PlannedCase:
    """A labelled case as it counted when the training began.

    Attributes:
        case_id: its name.
        patient: whose scan it is.
        side: training or validation; cases of test patients are in no plan.
        origin: of its labels, masks and scan; see ``Study.origin``.
        document_sha256: of the document that counted.
        version: the annotation's number, None for a label that was put into the folder by hand.
    """

    case_id: str
    patient: str
    side: Side
    origin: str
    document_sha256: str
    version: int | None


@dataclass(frozen=True)
class UsedModel:
    """Weights that a training begins with or looks for regions with."""

    version: int
    sha256: str


@dataclass(frozen=True)
class TrainingPlan:
    """A training's ingredients.

    Attributes:
        task: what is trained.
        created: UTC, ISO 8601.
        request: fingerprint of the settings as they were asked for: a run is resumed only under the same.
        settings: as they are trained with, complete.
        starts_from: weights to begin with; None: random ones.
        candidates: network whose regions are used as patches (classifier only).
        test_cases: labelled cases of test patients, which are left alone.
        cases: the others.
    """

    task: str
    created: str
    request: str
    settings: dict[str, Any]
    starts_from: UsedModel | None
    candidates: UsedModel | None
    test_cases: int
    cases: tuple[PlannedCase, ...]

    def save(self, folder: Path) -> None:
        """Write ``plan.json``: from here on the run can be resumed."""
        text = json.dumps({"schema": _SCHEMA, **asdict(self)}, indent=1, ensure_ascii=False) + "\n"
        replace_durably(folder / PLAN_FILE, text.encode())

    @classmethod
    def load(cls, folder: Path) -> "TrainingPlan | None":
        """The plan in a folder, None where there is none.

        Raises:
            ConfigError: if it is damaged.
        """
        path = folder / PLAN_FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if values.pop("schema") != _SCHEMA:
                raise ValueError("written by another version of the program")
            cases = tuple(PlannedCase(**{**case, "side": Side(case["side"])}) for case in values.pop("cases"))
            starts_from, candidates = _used(values.pop("starts_from")), _used(values.pop("candidates"))
            return cls(**values, starts_from=starts_from, candidates=candidates, cases=cases)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConfigError(f"{path} is damaged ({error}); train anew, or name another folder") from None


def request_of(settings: Settings, pretrained: bool) -> str:
    """Fingerprint of what was asked for."""
    asked = json.dumps([pretrained, settings.model_dump(mode="json", exclude=FREE_SETTINGS)], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()[:16]


def _used(values: Mapping[str, Any] | None) -> UsedModel | None:
    return None if values is None else UsedModel(**values)


def choose_cases(studies: Sequence[Study], shares: SplitSettings, folder: Path) -> tuple[list[PlannedCase], int]:
    """The cases that train and validate, their documents copied into the training's folder.

    Returns:
        The cases in order of their names, and how many cases of test patients there are.

    Raises:
        ConfigError: if no patient is left for one of the two sides.
    """
    cases, test_cases = [], 0
    documents = folder / DOCUMENTS_FOLDER
    documents.mkdir(parents=True, exist_ok=True)
    store = AnnotationStore(studies[0].folder) if studies else None
    for study in studies:
        side = side_of(study.patient, shares)
        if side is Side.TEST:
            test_cases += 1
            continue
        content = study.document.read_bytes()
        frozen = _frozen(folder, study.case_id)
        replace_durably(frozen, content)
        counting = store.counting(study.case_id) if store is not None else None
        is_version = counting is not None and counting.document.to_json().encode() == content
        cases.append(
            PlannedCase(
                study.case_id,
                study.patient,
                side,
                replace(study, document=frozen).origin(),
                hashlib.sha256(content).hexdigest(),
                counting.version or None if counting is not None and is_version else None,
            )
        )
    require_both_sides(cases, shares)
    return cases, test_cases


def require_both_sides(cases: Sequence[PlannedCase], shares: SplitSettings) -> None:
    """See that there is something to train on and something to validate on.

    Raises:
        ConfigError: if one of the two is missing.
    """
    patients = {side: {case.patient for case in cases if case.side is side} for side in Side}
    for side in (Side.TRAINING, Side.VALIDATION):
        if not patients[side]:
            raise ConfigError(
                f"none of the {len({case.patient for case in cases})} patients with usable labels outside the test "
                f"share is on the {side.value} side of the split (split.validation {shares.validation:g}, split.test "
                f"{shares.test:g}); label cases of more patients, or change the shares where the folder keeps none yet "
                f"({SPLIT_FILE})"
            )


def planned_studies(plan: TrainingPlan, studies: Path, folder: Path) -> dict[str, Study]:
    """The plan's cases that are still in the studies folder, with the documents they had when the training began."""
    scans = {study.case_id: study for study in find_scans(studies)}
    return {
        case.case_id: replace(scans[case.case_id], document=_frozen(folder, case.case_id), patient=case.patient)
        for case in plan.cases
        if case.case_id in scans
    }


@dataclass(frozen=True)
class Prepared:
    """Which cases of a plan could be used, and a sentence for each that could not."""

    case_ids: tuple[str, ...]
    left_out: dict[str, str]

    def save(self, folder: Path) -> None:
        """Write ``prepared.json``."""
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"
        replace_durably(folder / PREPARED_FILE, text.encode())

    @classmethod
    def load(cls, folder: Path) -> "Prepared | None":
        """What was prepared, None where that is not finished."""
        try:
            values = json.loads((folder / PREPARED_FILE).read_text(encoding="utf-8"))
            return cls(tuple(values["case_ids"]), dict(values["left_out"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None


def clear_run(folder: Path) -> None:
    """Remove a run from its folder; prepared cases stay, the next run uses them."""
    for name in (PLAN_FILE, PREPARED_FILE, PUBLICATION_FILE):  # the plan first: without it nothing can be resumed
        (folder / name).unlink(missing_ok=True)
    for name in (CHECKPOINTS, DOCUMENTS_FOLDER):
        shutil.rmtree(folder / name, ignore_errors=True)


def _frozen(folder: Path, case_id: str) -> Path:
    return folder / DOCUMENTS_FOLDER / f"{case_id}.json"

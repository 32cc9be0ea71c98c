"""A cross-validation of the X-ray networks from its options to its files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import ConfigError
from ...evaluation.request import CrossRequest
from ...output import prepare_folder
from ...studies.cases import find_studies
from .arms import Arm, Frame, TaskName, ablation_arms, audit_arms, single
from .cohort import Cohort
from .folds import Grouping
from .page import NAME, write_results
from .run import Division, begin_from, box_finder, divide, prepare, run_arms

FEWEST_CHANNELS = 8
"""Ours: narrower networks learn next to nothing."""


@dataclass(frozen=True)
class SetUp:
    """What one set-up looks at and is made of; None and False leave the method as it is."""

    task: TaskName | None = None
    by: Grouping | None = None
    view: str | None = None
    plain: bool = False
    no_superpixels: bool = False
    no_pyramid: bool = False
    cross_entropy: bool = False
    no_attention: bool = False

    def given(self) -> list[str]:
        """The options that were given."""
        return [f"--{name.replace('_', '-')}" for name, value in vars(self).items() if value]


def crossvalidate(request: CrossRequest) -> Path:
    """Cross-validate and write ``crossvalidation.json``, ``.txt`` and ``.html``.

    Folds that are done are kept, so that an interrupted run goes on where it stopped.

    Returns:
        The files without their endings.

    Raises:
        PneumoScreenError: if options, X-rays, models or folders cannot be used.
    """
    say, folds, seed = request.say, request.folds, request.seed
    set_up = SetUp(**request.set_up)
    frame = Frame(_widths(request.widths), request.size, request.epochs, seed, request.trunk)
    arms = _arms(set_up, request.audit, request.ablations, frame, request.initial)
    weights = None
    if request.initial is not None:
        arms[0], weights = begin_from(arms[0], request.initial)
    finder = box_finder(request.store, request.device)
    labelled = find_studies(request.studies, say, modality="CXR")
    out = prepare_folder(request.out)
    cohort = prepare(labelled, arms, out, finder, say)
    divided, missing = _divided(arms, cohort, folds, seed)
    for reason in missing:
        say(f"left out: {reason}")
    results = run_arms(divided, cohort, out, request.pool, seed=seed, initial=request.initial, weights=weights, say=say)
    source = f"studies folder {request.studies.resolve().name}"
    if cohort.boxes_found:
        source += f" (lung boxes of {cohort.boxes_found} X-rays from the network in use)"
    source += "".join(f"; left out: {reason}" for reason in missing)
    facts = {
        "folds": folds,
        "seed": seed,
        "left_out": [*cohort.left_out, *missing],
        "boxes_found": cohort.boxes_found,
    }
    write_results(out, results, source, facts)
    return out / NAME


def _divided(
    arms: Sequence[Arm], cohort: Cohort, folds: int, seed: int
) -> tuple[list[tuple[Arm, Division]], list[str]]:
    """The set-ups with their folds, before any is trained, and why others have none.

    Raises:
        ConfigError: if the first, which the others are compared with, has none.
    """
    divided, missing = [(arms[0], divide(arms[0], cohort, folds, seed))], []
    for arm in arms[1:]:
        try:
            divided.append((arm, divide(arm, cohort, folds, seed)))
        except ConfigError as error:
            missing.append(str(error))
    return divided, missing


def _arms(set_up: SetUp, audit: bool, ablations: bool, frame: Frame, initial: Path | None) -> list[Arm]:
    if not (audit or ablations):
        _check_fits(set_up, frame)
        return [
            single(
                frame,
                set_up.task or "classes",
                set_up.by or "patient",
                view=set_up.view or "lungs",
                plain=set_up.plain,
                superpixels=not set_up.no_superpixels,
                pyramid=not set_up.no_pyramid,
                cross_entropy=set_up.cross_entropy,
                attention=not set_up.no_attention,
            )
        ]
    given = [*set_up.given(), *(["--initial"] if initial is not None else [])]
    if given:
        raise ConfigError(f"{given[0]} describes a single set-up; leave it out with --audit and --ablations")
    arms = [*(audit_arms(frame) if audit else []), *(ablation_arms(frame) if ablations else [])]
    # Both hold the method itself.
    return list({arm.name: arm for arm in [*arms, *arms[:1]]}.values())


def _check_fits(set_up: SetUp, frame: Frame) -> None:
    task = set_up.task or "classes"
    own: dict[TaskName, Sequence[str]] = {
        "classes": ("--view", "--plain", "--no-superpixels", "--no-pyramid", "--cross-entropy"),
        "localization": ("--no-attention",),
        "lung_boxes": (),
    }
    other = [name for name in set_up.given() if name not in ("--task", "--by", *own[task])]
    if task == "lung_boxes" and frame.widths is not None:
        other.append("--widths")
    if frame.trunk is not None and set_up.plain:
        raise ConfigError("--trunk: --plain is the ResNet-18 as it is; leave one of them out")
    if frame.trunk is not None and task != "classes":
        other.append("--trunk")
    if task == "localization" and frame.size is not None:
        other.append("--size")
    if other:
        raise ConfigError(f"{other[0]} is no option of --task {task}; leave it out")


def _widths(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or min(found) < FEWEST_CHANNELS:
        raise ConfigError(
            f"--widths {text}: give whole numbers from {FEWEST_CHANNELS} with commas, such as 16,32,64,128"
        )
    return found

"""``pneumoscreen crossvalidate``: k-fold cross-validation of the X-ray networks, the shortcut audit, the ablations."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..cxr.crossvalidation.arms import Arm, Frame, TaskName, ablation_arms, audit_arms, single
from ..cxr.crossvalidation.folds import Grouping
from ..cxr.crossvalidation.page import NAME, write_results
from ..cxr.crossvalidation.run import begin_from, box_finder, prepare, run_arm
from ..errors import ConfigError
from ..models.store import ModelStore
from ..output import prepare_folder
from ..studies.cases import find_studies
from .device import pick_device
from .terminal import complain

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


def crossvalidate(
    studies: Path,
    out: Path,
    *,
    set_up: SetUp | None = None,
    audit: bool = False,
    ablations: bool = False,
    folds: int = 5,
    widths: str | None = None,
    size: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    trunk: str | None = None,
    initial: Path | None = None,
    model_dir: Path | None = None,
    device: str = "auto",
    as_json: bool = False,
) -> None:
    """Cross-validate, print the tables and write ``crossvalidation.json``, ``.txt`` and ``.html`` into ``out``.

    Folds that are done are kept in ``out``, so that an interrupted run goes on where it stopped.

    Args:
        studies: studies folder with labelled X-rays.
        out: folder for the results; made where missing.
        set_up: the one set-up; not with ``audit`` or ``ablations``.
        audit: run the set-ups of the shortcut audit.
        ablations: run the method without one of its parts at a time.
        folds: their number.
        widths: channels of the stages, with commas; None takes the product's own.
        size: side of the square that is looked at.
        epochs: at most.
        seed: of division, weights and order.
        trunk: of the discriminator.
        initial: weights file from which every fold of a single set-up begins.
        model_dir: root of the model store, where the lung-box network is; None takes the project's own.
        device: as of the other commands.
        as_json: print the JSON instead of the text.

    Raises:
        PneumoScreenError: if options, X-rays, models or folders cannot be used.
    """
    arms = _arms(set_up or SetUp(), audit, ablations, Frame(_widths(widths), size, epochs, seed, trunk), initial)
    weights = None
    if initial is not None:
        arms[0], weights = begin_from(arms[0], initial)
    place = pick_device(device)
    finder = box_finder(ModelStore(model_dir), place)
    labelled = find_studies(studies, complain, modality="CXR")
    out = prepare_folder(out)
    cohort = prepare(labelled, arms, out, finder, complain)
    results = [
        run_arm(arm, cohort, out, folds=folds, seed=seed, device=place, weights=weights, say=complain) for arm in arms
    ]
    source = f"studies folder {studies.resolve().name}"
    if cohort.boxes_found:
        source += f" (lung boxes of {cohort.boxes_found} X-rays from the network in use)"
    facts = {"folds": folds, "seed": seed, "left_out": list(cohort.left_out), "boxes_found": cohort.boxes_found}
    write_results(out, results, source, facts)
    print((out / f"{NAME}.{'json' if as_json else 'txt'}").read_text(encoding="utf-8"), end="")


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

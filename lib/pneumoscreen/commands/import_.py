"""``pneumoscreen import``: existing data into a studies folder, with a line a case."""

import json
from dataclasses import asdict
from pathlib import Path

from ..importers.found import READER, ImportRequest, ImportSettings, Layout, Remark, SourceError
from ..importers.outcomes import Action, Outcome
from ..method import Method
from ..methods import METHODS
from ..models.store import ModelStore
from ..output import prepare_folder, require_folder
from .terminal import complain

AUTO = "auto"
STATUS_OK = 0
STATUS_BAD_INPUT = 2


def import_studies(
    source: Path,
    studies: Path,
    *,
    layout: str = AUTO,
    annotations: Path | None = None,
    diagnosis: str | None = None,
    label: str | None = None,
    reader: str = READER,
    link: bool = False,
    anonymous_ids: bool = False,
    dry_run: bool = False,
    as_json: bool = False,
    model_dir: Path | None = None,
) -> int:
    """Import every case of a source, print a line each and a summary.

    Args:
        source: folder of the scans.
        studies: the studies folder; made where missing.
        layout: name of a layout, or ``auto``.
        annotations: folder of the annotations where they lie elsewhere.
        diagnosis: clinical diagnosis of the cases whose data do not give it.
        label: patch label of the regions whose data do not give it.
        reader: who marked the regions.
        link: hard-link scans where possible.
        anonymous_ids: name cases by hashes.
        dry_run: say what would happen and write nothing.
        as_json: print one JSON object instead of the lines.
        model_dir: root of the model store, whose lung-box network serves X-rays without boxes.

    Returns:
        The exit status: 0, or 2 where a case was refused.

    Raises:
        PneumoScreenError: if nothing can be imported at all.
    """
    source = require_folder(source, "the folder to import")
    annotations = require_folder(annotations, "the folder of annotations") if annotations else source
    for folder in (source, annotations):
        _check_apart(folder, studies)
    if not dry_run:
        prepare_folder(studies)
    method, chosen = pick_layout(layout, source, annotations)
    settings = ImportSettings(diagnosis=diagnosis, label=label, reader=reader)
    store = ModelStore(model_dir)
    request = ImportRequest(source, annotations, studies, settings, store, link, dry_run, anonymous_ids)
    found = method.import_cases(chosen, request)
    outcomes: list[Outcome] = []
    try:
        for outcome in found:
            if isinstance(outcome, Remark):
                complain(f"note: {outcome.sentence}")
                continue
            outcomes.append(outcome)
            if outcome.action is Action.REFUSED:
                complain(outcome.reason or outcome.case_id)
            elif not as_json:
                print(_line(outcome, counts_regions=bool(method.segments)), flush=True)
    finally:
        # Also after an interruption: what was imported so far is told.
        if as_json:
            print(json.dumps(_report(outcomes, chosen.name, dry_run), indent=2, ensure_ascii=False), flush=True)
        elif outcomes:
            print(_summary(outcomes, chosen.name, studies, dry_run), flush=True)
    return STATUS_BAD_INPUT if any(outcome.action is Action.REFUSED for outcome in outcomes) else STATUS_OK


def _check_apart(source: Path, studies: Path) -> None:
    here, there = source.resolve(), studies.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise SourceError(f"{studies}: the studies folder and {source} lie in each other; import into a folder apart")


def pick_layout(name: str, source: Path, annotations: Path) -> tuple[Method, Layout]:
    """The layout of a name, or with ``auto`` the first that the source looks like, and the method that it is for.

    Raises:
        SourceError: if there is no such layout, or the source looks like none.
    """
    # Data sets that are known by their folders are tried first.
    layouts = [(method, layout) for place in (0, 1) for method in METHODS for layout in method.layouts()[place]]
    for method, layout in layouts:
        if name == layout.name or (name == AUTO and layout.holds(source, annotations)):
            return method, layout
    if name == AUTO:
        shapes = "; ".join(f"{layout.name}: {layout.shape}" for _, layout in layouts)
        raise SourceError(f"{source} looks like none of the layouts that are read ({shapes})")
    raise SourceError(f"--layout {name}: not one of {AUTO}, {', '.join(layout.name for _, layout in layouts)}")


def _line(outcome: Outcome, counts_regions: bool) -> str:
    if outcome.action is Action.KEPT:
        return f"{outcome.case_id} kept: {outcome.reason}"
    if outcome.diagnosis is None:
        return f"{outcome.case_id} {outcome.action}"
    if not counts_regions:
        return f"{outcome.case_id} {outcome.action} {outcome.diagnosis}"
    regions = "1 region" if outcome.regions == 1 else f"{outcome.regions} regions"
    return f"{outcome.case_id} {outcome.action} {outcome.diagnosis} {regions}"


def _counts(outcomes: list[Outcome]) -> dict[str, int]:
    return {action.value: sum(outcome.action is action for outcome in outcomes) for action in Action}


def _summary(outcomes: list[Outcome], layout: str, studies: Path, dry_run: bool) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in _counts(outcomes).items() if count)
    tail = " (dry run: nothing was written)" if dry_run else ""
    return f"{layout} into {studies}: {counts or 'no case'}{tail}"


def _report(outcomes: list[Outcome], layout: str, dry_run: bool) -> dict[str, object]:
    cases = [asdict(outcome) for outcome in outcomes]
    return {"layout": layout, "dry_run": dry_run, "counts": _counts(outcomes), "cases": cases}

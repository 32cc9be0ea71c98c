"""``pneumoscreen import``: existing data into a studies folder, with a line a case."""

import json
from dataclasses import asdict
from pathlib import Path

from ..ct.importers.run import import_cases
from ..cxr.importers.run import import_radiographs
from ..cxr.importers.table import NAME as RADIOGRAPH_TABLE
from ..importers.found import READER, ImportSettings, Remark, SourceError
from ..importers.outcomes import Action, Outcome
from ..models.store import ModelStore
from ..output import prepare_folder, require_folder
from .import_layouts import pick_layout
from .terminal import complain

STATUS_OK = 0
STATUS_BAD_INPUT = 2


def import_studies(
    source: Path,
    studies: Path,
    *,
    layout: str = "auto",
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
    chosen = pick_layout(layout, source, annotations)
    settings = ImportSettings(diagnosis=diagnosis, label=label, reader=reader)
    if chosen.name == RADIOGRAPH_TABLE:
        found = import_radiographs(
            source,
            annotations,
            studies,
            settings,
            store=ModelStore(model_dir),
            link=link,
            dry_run=dry_run,
            anonymous_ids=anonymous_ids,
        )
    else:
        found = import_cases(
            chosen.find(source, annotations),
            chosen,
            studies,
            settings,
            link=link,
            dry_run=dry_run,
            anonymous_ids=anonymous_ids,
        )
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
                print(_line(outcome, chosen.name), flush=True)
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


def _line(outcome: Outcome, layout: str) -> str:
    if outcome.action is Action.KEPT:
        return f"{outcome.case_id} kept: {outcome.reason}"
    if outcome.diagnosis is None:
        return f"{outcome.case_id} {outcome.action}"
    if layout == RADIOGRAPH_TABLE:
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

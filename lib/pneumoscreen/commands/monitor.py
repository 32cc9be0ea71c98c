"""``pneumoscreen monitor``: the model in use, from what a studies folder holds."""

import json
from pathlib import Path

from ..exports.anonymous import Names
from ..methods import class_list
from ..models.store import ModelStore
from ..monitoring.page import monitoring_to_text, render_monitoring
from ..monitoring.summary import MonitoringOptions
from ..output import prepare_folder, replacing, require_folder
from ..server.work.monitoring import monitoring_of_folder
from ..studies.cases import find_scans
from ..studies.keyed_names import key_of
from .terminal import complain

PAGE, DOCUMENT = "monitoring.html", "monitoring.json"


def monitor(
    studies: Path,
    out: Path,
    *,
    cases: int | None,
    reference: int,
    newest: int,
    anonymous: bool,
    model_dir: Path | None,
    as_json: bool,
) -> None:
    """Print the recommendation and write ``monitoring.html`` and ``monitoring.json`` into ``out``.

    Args:
        studies: studies folder of a server.
        out: folder for both; made where missing.
        cases: submissions a period; None takes months.
        reference: patients of the reference, at most.
        newest: patients that count as the newest, at most.
        anonymous: whether readers are named by hashes, and the folder not at all.
        model_dir: root of the model store; its networks name the classes.
        as_json: print the JSON instead of the text.

    Raises:
        PneumoScreenError: if the studies or the folder cannot be used.
    """
    require_folder(studies, "the studies folder")
    out = prepare_folder(out)
    names = Names(key_of(studies) if anonymous else b"", anonymous)
    options = MonitoringOptions(cases, reference, newest, names.reader)
    patients = {study.case_id: study.patient for study in find_scans(studies, complain)}
    source = "a studies folder" if anonymous else f"studies folder {studies.resolve().name}"
    found = monitoring_of_folder(studies, class_list(ModelStore(model_dir)), patients, options, source)
    content = json.dumps(found.to_dict(), indent=1, allow_nan=False) + "\n"
    for name, text in ((DOCUMENT, content), (PAGE, render_monitoring(found))):
        with replacing(out / name) as part:
            part.write_text(text, encoding="utf-8")
    print(content if as_json else monitoring_to_text(found), end="")
    complain(f"page: {out / PAGE}")

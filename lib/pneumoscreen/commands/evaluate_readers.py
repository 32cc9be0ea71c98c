"""``pneumoscreen evaluate --reader-study``: what readers said, how fast, with and without the model."""

from pathlib import Path

from ..errors import ConfigError
from ..evaluation.reader_page import render_reader_page
from ..evaluation.reader_study import readings_of
from ..evaluation.reader_summary import summarize_readers
from ..evaluation.reader_text import readers_to_text
from ..images.inputs import Modality
from ..output import prepare_folder, write_evaluation
from ..studies.cases import find_scans
from ..studies.folder_split import folder_split
from .terminal import complain


def evaluate_reader_study(studies: Path | None, out: Path, *, modality: Modality = "CT", as_json: bool = False) -> None:
    """Print the figures of a reader study and write ``evaluation.json``, ``.txt`` and ``.html`` into ``out``.

    No network is asked: readings are compared with what the model said when they were made.

    Args:
        studies: studies folder with submissions.
        out: folder for the figures; made where missing.
        modality: of the cases.
        as_json: print the JSON instead of the text.

    Raises:
        PneumoScreenError: if options, studies or folders cannot be used.
    """
    if studies is None:
        raise ConfigError("--reader-study needs --studies: the folder in which readers submitted")
    out = prepare_folder(out)
    scans = [study for study in find_scans(studies, complain) if study.scan.modality == modality]
    found = readings_of(studies, scans, modality == "CT")
    source = f"studies folder {studies.resolve().name}"
    summary = summarize_readers(found, source, modality, folder_split(studies))
    write_evaluation(out, summary.to_dict(), readers_to_text(summary), render_reader_page(summary))
    print((out / "evaluation.json").read_text(encoding="utf-8") if as_json else readers_to_text(summary), end="")
    complain(f"page: {out / 'evaluation.html'}")

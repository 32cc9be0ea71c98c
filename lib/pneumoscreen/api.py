"""Screening from Python, in three lines.

    >>> from pneumoscreen import screen
    >>> result = screen("scan.nii.gz")  # doctest: +SKIP
    >>> result.report("report.html")  # doctest: +SKIP

Research use only.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .case import Case
from .commands.screen import Screeners, named, read_timed, screen_with_report
from .errors import ImageError
from .images.found import Input, PassedOver
from .images.inputs import search
from .images.naming import Namer
from .method import Progress
from .output import replacing
from .verdict import Verdict

__all__ = ["Result", "Screeners", "screen"]


@dataclass(frozen=True)
class Result:
    """A screened image.

    Attributes:
        case: its document: lungs, regions, patches, verdict, and the notes on what was repaired or left out.
    """

    case: Case
    _write_report: Callable[[Path], None] = field(repr=False, compare=False)

    @property
    def verdict(self) -> Verdict:
        """The verdict: label, confidence, and the calibrated probability of an infection where there is one."""
        assert self.case.verdict is not None, "every screening ends with a verdict"
        return self.case.verdict

    def report(self, target: str | os.PathLike[str]) -> Path:
        """Write the report with its pictures, one HTML page, and return its path.

        Raises:
            OutputError: if the file cannot be written.
        """
        with replacing(path := Path(target)) as part:
            self._write_report(part)
        return path

    def save(self, target: str | os.PathLike[str]) -> Path:
        """Write the document (``pneumoscreen.case/2``, JSON), and return its path.

        Raises:
            OutputError: if the file cannot be written.
        """
        with replacing(path := Path(target)) as part:
            part.write_text(self.case.to_json(), encoding="utf-8")
        return path


def screen(
    path: str | os.PathLike[str],
    *,
    model_dir: str | os.PathLike[str] | None = None,
    device: str = "auto",
    screeners: Screeners | None = None,
    progress: Progress | None = None,
) -> Result:
    """Screen one chest CT or chest X-ray for pneumonia. Research use only.

    Args:
        path: a file (NIfTI, NRRD, MetaImage, DICOM, a picture) or the folder of one DICOM series.
        model_dir: root of the model store; by default the project's own, or the folder that the environment variable
            ``PNEUMOSCREEN_MODELS`` names.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        screeners: networks that are loaded already, for many images one after another: ``Screeners(None, "auto")``.
            ``model_dir`` and ``device`` are then those that it was made with.
        progress: called with the name of a stage and the fraction of the whole that is done; may raise ``Cancelled``.

    Raises:
        PneumoScreenError: if there is no such image, if it is none that can be screened (the message names file, reason
            and remedy), or if the networks cannot be loaded. ``ImageError``, a kind of it, where a folder holds several
            images or none.
    """
    item = _one_input(Path(path))
    read = named(read_timed(item), item, Namer())
    loaded = screeners or Screeners(None if model_dir is None else Path(model_dir), device)
    loaded.load(read.method)
    case, write_report = screen_with_report(read, loaded, progress or (lambda stage, fraction: None))
    return Result(case, write_report)


def _one_input(path: Path) -> Input:
    """The only image behind a path.

    Raises:
        ImageError: if there is none, or more than one.
    """
    found = search([path])
    cases = [item for item in found if not isinstance(item, PassedOver)]
    passed_over = [item for item in found if isinstance(item, PassedOver)]
    if len(cases) > 1:
        raise ImageError(
            f"{path}: holds {len(cases)} images; give one of them, or screen all with `pneumoscreen screen`"
        )
    if not cases:
        why = "".join(f" ({item.path.name} {item.reason.removeprefix(f'{item.path} ')})" for item in passed_over[:1])
        raise ImageError(f"{path}: holds no image that can be screened{why}; give a CT or an X-ray of the chest")
    if not isinstance(cases[0], Input):
        raise ImageError(cases[0].reason)
    return cases[0]

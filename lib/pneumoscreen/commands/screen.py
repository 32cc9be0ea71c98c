"""``pneumoscreen screen``: files in; a case document, a report and one line a case out."""

import json
import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import RESEARCH_USE_ONLY
from ..case import Case
from ..errors import PneumoScreenError
from ..method import Method, Progress
from ..methods import method_of
from ..output import OutputError, prepare_folder, replacing, write_results
from ..verdict import DEFAULT_CLASSES, Classes
from .quick_imports import import_monai, uncollected
from .screen_results import LeftOut, Refusal, Result, Screened, Shown, left_out
from .terminal import Meter, complain

if TYPE_CHECKING:
    from ..images import Input
    from ..images.found import Found, Refused
    from ..images.naming import Namer
    from ..screener import Screener

STATUS_OK = 0
STATUS_FAULT = 1
STATUS_BAD_INPUT = 2

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """An image, the method that reads it, and the seconds that reading took."""

    image: Any
    method: Method
    seconds: float


class Screeners:
    """The networks of all methods, each loaded when the first case needs them.

    Args:
        model_dir: root of the model store; None takes the project's own.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    """

    def __init__(self, model_dir: Path | None, device: str) -> None:
        self._model_dir, self._device = model_dir, device
        self._loaded: dict[Method, Screener] = {}

    @property
    def classes(self) -> Classes:
        """The class list of the cases that were screened; the paper's where there were none."""
        found = (method.classes(screener) for method, screener in self._loaded.items())
        return next((classes for classes in found if classes is not None), DEFAULT_CLASSES)

    def of(self, method: Method) -> "Screener":
        """The networks of a method, loaded when first asked for.

        Raises:
            PneumoScreenError: if they cannot be loaded.
        """
        if method not in self._loaded:
            from ..models.store import ModelStore
            from .device import pick_device

            self._loaded[method] = method.screener(ModelStore(self._model_dir), pick_device(self._device))
        return self._loaded[method]

    def load(self, method: Method) -> None:
        """Load the networks that a case needs, and what draws its report: that is no part of the case's time.

        Raises:
            PneumoScreenError: if they cannot be loaded.
        """
        if method in self._loaded:
            return
        with uncollected():
            method.prepare_report()
            if method.needs_monai:
                import_monai()
            self.of(method)


@dataclass(frozen=True)
class Pending:
    """An input, and what waits for its reading."""

    item: "Input"
    read: Callable[[], Reading]
    wait: Callable[[], object] = lambda: None


def screen_inputs(
    inputs: Sequence[Path],
    out: Path,
    *,
    as_json: bool = False,
    with_index: bool = False,
    anonymous_ids: bool = False,
    model_dir: Path | None = None,
    device: str = "auto",
) -> int:
    """Screen every case of the inputs and write ``out/<case_id>.json`` and ``.html``.

    A bad input costs one line on standard error and the exit status; the others are still screened.

    Args:
        inputs: files, DICOM folders or folders of these.
        out: folder for documents and reports; made where missing.
        as_json: print one JSON array on standard output instead of a line a case: an object a case with
            ``case_id``, ``source``, ``verdict``, ``confidence``, ``seconds``, ``document``, ``report``; an object a
            refused input with ``input`` and ``error``; one a path that was left out with ``passed_over`` and
            ``reason``.
        with_index: write ``out/index.html``, the table of all these cases, as well.
        anonymous_ids: hashes stand for paths in all results; standard error still names what is refused.
        model_dir: root of the model store; None takes the project's own.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Returns:
        The exit status: 0 where all were screened, 2 where an input was refused, 1 where the program failed on one.

    Raises:
        PneumoScreenError: if the folder cannot be written to, or the models cannot be loaded.
    """
    with uncollected():
        from ..images.found import Refused
        from ..images.inputs import search
        from ..images.naming import Namer

    out = prepare_folder(out)
    print(RESEARCH_USE_ONLY, file=sys.stderr)
    screeners, namer, shown = Screeners(model_dir, device), Namer(anonymous_ids), Shown(anonymous_ids)
    found = search(inputs)
    passed_over = left_out(found, shown)
    results: list[Screened | Refusal] = []
    try:
        for case in _read_ahead(found):
            if isinstance(case, Refused):
                results.append(_refuse(case.path, case.reason, shown))
                continue
            # Read first: beside the loading of the networks, which holds the interpreter, a reading takes many times as
            # long. Without the networks no case can be screened.
            case.wait()
            screeners.load(method_of(case.item))
            result = _screen_one(case, screeners, out, namer, shown)
            results.append(result)
            if isinstance(result, Screened) and not as_json:
                print(result.line(), flush=True)
    finally:
        # Also after an interruption: what was screened so far is a valid array.
        if as_json:
            entries = [result.to_dict() for result in (*results, *passed_over)]
            print(json.dumps(entries, indent=2, ensure_ascii=False), flush=True)
    if with_index:
        _write_index([*results, *passed_over], out, screeners.classes)
    refused = [result for result in results if isinstance(result, Refusal)]
    if any(refusal.is_fault for refusal in refused):
        return STATUS_FAULT
    return STATUS_BAD_INPUT if refused else STATUS_OK


def _screen_one(pending: Pending, screeners: Screeners, out: Path, namer: "Namer", shown: Shown) -> Screened | Refusal:
    """The result of one input; a refusal is printed and returned, not raised."""
    item = pending.item
    try:
        with Meter(item.case_id) as progress:
            progress("read", 0.0)
            read = pending.read()
            case = screen_image(named(read, item, namer), screeners, out, progress)
    except OutputError:
        raise
    except PneumoScreenError as error:
        return _refuse(item.path, str(error), shown)
    except MemoryError:
        return _refuse(item.path, "needs more memory than there is; screen it on a larger machine", shown)
    except Exception as error:
        # A fault of the program with one case must not cost the others theirs.
        logger.debug("fault while screening %s", item.path, exc_info=True)
        kind = type(error).__name__
        reason = f"a fault of the program ({kind}: {error}); please report it"
        return _refuse(item.path, reason, shown, is_fault=True)
    for note in (*_undecided(case), *case.notes):
        complain(f"{case.case_id}: note: {note}")
    return Screened(case, out)


def _undecided(case: Case) -> Iterator[str]:
    """The line of a case names the likelier type for programs; who reads it is told that the type is open."""
    from ..report.wording import case_verdict_name

    if case.verdict is not None and not case.verdict.decided:
        yield f"{case_verdict_name(case)}; the line names the likelier one."


def named(read: Reading, item: "Input", namer: "Namer") -> Reading:
    """The reading with the id and the source that its document bears."""
    image = replace(read.image, case_id=namer.case_id(item, read.image.sha256), source_below=namer.source(item))
    return replace(read, image=image)


def screen_image(read: Reading, screeners: Screeners, out: Path, progress: Progress) -> Case:
    """Screen one CT or radiograph, write its report and document, and return the case with all its times.

    Raises:
        PneumoScreenError: if the image cannot be screened or the files cannot be written.
    """
    start = time.perf_counter()
    screened, write = screen_with_report(read, screeners, progress)
    case = write_results(screened, write, out, start - read.seconds)
    progress("report", 1.0)
    return case


def screen_with_report(read: Reading, screeners: Screeners, progress: Progress) -> tuple[Case, Callable[[Path], None]]:
    """The case, and what writes its report to a file.

    Raises:
        PneumoScreenError: if the image cannot be screened.
    """
    image, method, screener = read.image, read.method, screeners.of(read.method)
    screening = screener.screen(image, progress, read_s=read.seconds)
    return screening.case, lambda target: method.write_report(image, screening, screener, target)


def _refuse(path: Path, reason: str, shown: Shown, is_fault: bool = False) -> Refusal:
    reason = " ".join(reason.split())
    if not reason.startswith(str(path)):
        # Errors of the readers begin with the file's name; the line names it once, with its folder.
        reason = f"{path}: {reason.removeprefix(f'{path.name}: ')}"
    complain(reason)
    return Refusal(shown.name(path), shown.sentence(path, reason), is_fault)


def _write_index(results: Sequence[Result], out: Path, classes: Classes) -> None:
    from ..report import write_index

    cases = [result.case for result in results if isinstance(result, Screened)]
    refused = [(result.name, result.error) for result in results if isinstance(result, Refusal)]
    passed_over = [(result.name, result.reason) for result in results if isinstance(result, LeftOut)]
    with replacing(out / "index.html") as part:
        write_index(cases, part, classes, refused, passed_over)


def _read_ahead(found: Iterable["Found"]) -> Iterator["Pending | Refused"]:
    """Each input with its reading under way; the next scan is read while the present one is screened.

    One scan ahead, not more: a waiting volume holds memory.
    """
    from ..images.found import PassedOver, Refused

    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="read")
    waiting: deque[Pending | Refused] = deque()
    try:
        for item in found:
            if isinstance(item, PassedOver):
                continue
            waiting.append(item if isinstance(item, Refused) else _pending(item, pool))
            if len(waiting) > 1:
                yield waiting.popleft()
        yield from waiting
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _pending(item: "Input", pool: ThreadPoolExecutor) -> Pending:
    from ..images.dicom_encoding import COMPRESSED
    from ..images.gdcm import warm_up

    if any(header.transfer_syntax in COMPRESSED for header in item.headers[:1]):
        warm_up()
    if not method_of(item).reads_ahead:
        return Pending(item, partial(read_timed, item))
    reading = pool.submit(read_timed, item)
    return Pending(item, reading.result, lambda: wait([reading]))


def read_timed(item: "Input") -> Reading:
    """The image of an input, and the seconds that reading took.

    Raises:
        PneumoScreenError: if it cannot be read.
    """
    start, method = time.perf_counter(), method_of(item)
    return Reading(method.read(item), method, time.perf_counter() - start)

"""``pneumoscreen export``: results, annotated cases and networks in the formats of other programs."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..csv_table import read_rows
from ..errors import ConfigError, ModelError, PneumoScreenError
from ..exports.anonymous import Names
from ..exports.found import Found, LeftOut, Result, results_of
from ..method import Method
from ..methods import METHODS, class_list, networks
from ..models.store import ModelStore
from ..output import OutputError, new_folder, require_folder
from ..studies.keyed_names import key_of
from .terminal import complain, progress_of

if TYPE_CHECKING:
    from ..exports.annotated import AnnotatedCase
    from ..exports.fhir import Subject

UsableT = TypeVar("UsableT")

STATUS_OK = 0
STATUS_BAD_INPUT = 2
_EVERY_S = 10.0
"""Ours: seconds between two lines that say how far an export is."""


def export_tables(source: Path, out: Path, *, anonymous: bool, model_dir: Path | None) -> int:
    """Write the results of a folder as CSV; see ``exports.table``.

    Args:
        source: studies folder, or folder of results.
        out: a new folder.
        anonymous: whether ids are hashed and dates, places and free text left out.
        model_dir: root of the model store; its networks name the classes.

    Returns:
        The exit status: 0, or 2 where a document was left out.

    Raises:
        PneumoScreenError: if source or folder cannot be used.
    """
    from ..exports.table import write_tables

    work = _Work(source, out, anonymous, model_dir)
    with new_folder(out) as folder:
        write_tables(work.results(), folder, work.classes)
    return work.ended([out / "cases.csv", out / "regions.csv"])


def export_fhir(source: Path, out: Path, *, anonymous: bool, patients: Path | None, model_dir: Path | None) -> int:
    """Write each result of a folder as a FHIR bundle; see ``exports.fhir`` and ``export_tables``.

    Args:
        patients: CSV of case, system and patient: identifiers of the site's own, written as they are.
    """
    from ..exports.fhir import bundle_of, hashed_subject
    from ..exports.fhir_parts import can_check, check

    if anonymous and patients is not None:
        raise ConfigError("--patients: does not go with --anonymous; leave one of them out")
    known = {} if patients is None else _identifiers(patients)
    work, checks, unknown = _Work(source, out, anonymous, model_dir), can_check(), 0
    with new_folder(out) as folder:
        for result in work.results():
            subject = known.get(result.case.case_id)
            unknown += subject is None
            subject = subject or hashed_subject(result.patient)
            bundle = bundle_of(result, subject, work.classes)
            if checks:
                check(bundle)
            path = folder / f"{result.case.case_id}.json"
            path.write_text(json.dumps(bundle, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    if patients is not None and unknown:
        complain(f"note: {patients} has no row of {unknown} of the cases; these have hashed identifiers")
    if not checks:
        complain("note: not held to the definitions of FHIR; pip install '.[fhir]' in the project's folder lets it be")
    return work.ended([out])


def _identifiers(path: Path) -> dict[str, "Subject"]:
    from ..exports.fhir import Subject

    found: dict[str, Subject] = {}
    for line, (case, system, patient) in read_rows(path, ("case", "system", "patient")):
        if not (case and system and patient):
            raise PneumoScreenError(f"{path} line {line} lacks a case, a system or a patient; fill it in or remove it")
        found[case] = Subject(system, patient)
    return found


def export_coco(studies: Path, out: Path, *, anonymous: bool, model_dir: Path | None) -> int:
    """Write the boxes of annotated cases as COCO; see ``exports.coco`` and ``export_tables``."""
    from ..exports.coco import write_coco

    names = tuple(dict.fromkeys(name for method in METHODS for name in method.box_names))
    work = _Work(studies, out, anonymous, model_dir)
    cases = work.annotated(lambda method: bool(method.box_names))
    with new_folder(out) as folder:
        paths = write_coco(cases, names, folder, work.names)
    return work.ended([out / path.relative_to(folder) for path in paths])


def export_nnunet(studies: Path, out: Path, *, number: int, anonymous: bool, model_dir: Path | None) -> int:
    """Write the masks of annotated cases for nnU-Net; see ``exports.nnunet`` and ``export_tables``.

    Args:
        number: of the data set.
    """
    from ..exports.nnunet import write_nnunet

    names = tuple(dict.fromkeys(name for method in METHODS for name in method.mask_names))
    work = _Work(studies, out, anonymous, model_dir)
    cases = work.annotated(lambda method: bool(method.mask_names))
    with new_folder(out) as folder:
        written = write_nnunet(cases, names, folder, work.names, number, complain)
    return work.ended([out / written.name])


def export_bundles(asked: Sequence[str], out: Path, *, anonymous: bool, model_dir: Path | None) -> int:
    """Write networks as MONAI bundles; see ``exports.monai_bundle`` and ``export_tables``.

    Args:
        asked: names of networks; none stands for all in the store.
    """
    from ..exports.monai_bundle import write_bundle
    from ..exports.networks import exported, require_names

    store = _store(model_dir)
    found = require_names(asked, store)
    tell = progress_of(len(found))
    with new_folder(out) as folder:
        for done, network in enumerate(exported(found, store), start=1):
            write_bundle(network, store.weights_file(network.weights.name), folder, anonymous)
            tell(done, network.weights.name)
    return _listed([out / name for name in found])


def export_onnx(asked: Sequence[str], out: Path, *, model_dir: Path | None) -> int:
    """Write networks as ONNX files; see ``exports.onnx_file`` and ``export_bundles``."""
    from ..exports.networks import exported, require_names
    from ..exports.onnx_file import require_onnx, write_onnx

    store = _store(model_dir)
    found = require_names(asked, store)
    require_onnx()
    tell, written = progress_of(len(found)), []
    with new_folder(out) as folder:
        for done, network in enumerate(exported(found, store), start=1):
            try:
                path, apart = write_onnx(network, folder)
            except ModelError as error:
                complain(str(error))
                continue
            written.append(out / path.name)
            tell(done, f"{network.weights.name}: within {apart:.1g} of PyTorch")
        if not written:
            raise ModelError("none of the networks exports to ONNX; export bundles instead")
    _listed(written)
    return STATUS_OK if len(written) == len(found) else STATUS_BAD_INPUT


class _Work:
    """An export of a folder: its cases under the names that they are to have, and what was left out."""

    def __init__(self, source: Path, out: Path, anonymous: bool, model_dir: Path | None) -> None:
        here, there = source.resolve(), out.resolve()
        if here == there or here in there.parents:
            raise OutputError(f"{out}: lies in {source}, where it would be taken for a part of it; name a folder apart")
        self.source, self.classes = source, class_list(_store(model_dir))
        self._anonymous, self._left_out, self._done = anonymous, 0, 0

    @property
    def names(self) -> Names:
        """What stands for ids; the key is made at its first use."""
        return Names(key_of(self.source), self._anonymous, networks())

    def results(self) -> Iterator[Result]:
        """The results one by one."""
        found = results_of(self.source, self.classes, complain)
        first = next(found)  # refuses a folder that is none before a key is made in it
        names, next_line = self.names, time.monotonic() + _EVERY_S
        for result in self._usable(_chained(first, found)):
            yield names.result(result)
            if time.monotonic() >= next_line:
                next_line += _EVERY_S
                complain(f"{self._done} cases so far")

    def annotated(self, wanted: Callable[[Method], bool]) -> Iterator["AnnotatedCase"]:
        """The annotated cases of some methods one by one."""
        from ..exports.annotated import annotated_cases, annotated_studies

        studies = annotated_studies(self.source, wanted, complain)
        return self._told(annotated_cases(studies, self.classes, complain), len(studies))

    def _told(self, found: Iterable["AnnotatedCase | LeftOut"], of: int) -> Iterator["AnnotatedCase"]:
        tell = progress_of(of)
        for case in self._usable(found):
            yield case
            tell(self._done, self.names.case(case.case_id))

    def _usable(self, found: Iterable[UsableT | LeftOut]) -> Iterator[UsableT]:
        for item in found:
            if isinstance(item, LeftOut):
                self._left_out += 1
                complain(item.reason)
                continue
            self._done += 1
            yield item
        if not self._done:
            raise PneumoScreenError(f"{self.source}: none of its cases can be exported; mend what is named above")

    def ended(self, paths: Sequence[Path]) -> int:
        """Name what was written; returns the exit status."""
        _listed(paths)
        return STATUS_BAD_INPUT if self._left_out else STATUS_OK


def _store(model_dir: Path | None) -> ModelStore:
    if model_dir is not None:
        require_folder(model_dir, "the folder of models")
    return ModelStore(model_dir)


def _chained(first: Found, rest: Iterable[Found]) -> Iterator[Found]:
    yield first
    yield from rest


def _listed(paths: Sequence[Path]) -> int:
    for path in paths:
        print(path)
    return STATUS_OK

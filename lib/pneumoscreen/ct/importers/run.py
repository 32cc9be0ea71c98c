"""The import itself: each case of a source read, checked, and put into the studies folder with its document."""

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ...errors import CaseError, NoLungsError, PneumoScreenError
from ...images import Refused, Volume
from ...images.raw import hash_files
from ...importers.found import FoundCase, ImportSettings, Layout, MarksError, Remark, SourceError
from ...importers.outcomes import Action, Outcome, alone
from ...importers.placing import is_written_anew, place, place_mask, place_of_scan, stands_there
from ...importers.scans import anonymous_name
from ...studies.annotations import AnnotationStore, ConflictError
from ...studies.audit import AuditLog, utc_text
from ...studies.layout import LESION_MASKS, LUNG_MASKS, is_plain_name, plain_name_rule
from ...studies.versions import IMPORT, Annotation
from ...verdict import DEFAULT_CLASSES, Classes
from .documents import Documented, document, same_content


def import_cases(
    found: Iterable[FoundCase | Refused | Remark],
    layout: Layout,
    studies: Path,
    settings: ImportSettings,
    *,
    link: bool = False,
    dry_run: bool = False,
    anonymous_ids: bool = False,
    classes: Classes = DEFAULT_CLASSES,
) -> Iterator[Outcome | Remark]:
    """Import case after case; one that cannot be imported is named and does not stop the others.

    Ours: a case that anybody but this import annotated is left alone. A second import of the same data changes
    nothing; one of other marks becomes the next version.

    Args:
        found: what the layout found.
        layout: the layout.
        studies: the studies folder; made where missing.
        settings: what the user says of the data.
        link: hard-link scans where possible.
        dry_run: do everything but write.
        anonymous_ids: name cases by hashes.
        classes: the class list.

    Raises:
        PneumoScreenError: if the folder cannot be written to, or another import is at work on it.
    """
    _check_settings(settings, classes)
    at = utc_text(datetime.now(UTC))
    one = _Import(layout, studies, settings, at, link, dry_run, classes)
    with nullcontext() if dry_run else alone(studies):
        taken: dict[str, Path] = {}
        for item in _named(found, anonymous_ids):
            if isinstance(item, Remark):
                yield item
                continue
            if isinstance(item, Refused):
                yield Outcome(Action.REFUSED, item.path.name, reason=item.reason)
                continue
            case_id, path = item.scan.case_id, item.scan.path
            other = taken.setdefault(case_id.lower(), path)
            if other != path:
                reason = f"{path} gets the name {case_id}, which {other} has already; rename one of them"
                yield Outcome(Action.REFUSED, case_id, reason=reason)
                continue
            try:
                yield one.run(item)
            except (MarksError, CaseError, NoLungsError) as error:
                yield Outcome(Action.REFUSED, case_id, reason=f"{path}: {error}")
            except PneumoScreenError as error:
                yield Outcome(Action.REFUSED, case_id, reason=str(error))


@dataclass(frozen=True)
class _Import:
    """What is the same for all cases of one import."""

    layout: Layout
    studies: Path
    settings: ImportSettings
    at: str
    link: bool
    dry_run: bool
    classes: Classes

    def run(self, found: FoundCase) -> Outcome:
        volume = replace(found.read(found.scan), case_id=found.scan.case_id)
        target = place_of_scan(self.studies, found.scan, volume)
        is_there = stands_there(self.studies, target, volume)
        store = AnnotationStore(self.studies, self.classes)
        stored = store.versions(volume.case_id)
        other = next((v for v in stored if (v.kind, v.reader) != (IMPORT, self.settings.reader)), None)
        if other is not None and not is_there:
            raise MarksError(
                f"the studies folder has no scan {volume.case_id} but an annotation of it by {other.reader}; "
                "rename this scan, or import into another folder"
            )
        if other is not None:
            return self._kept(other)
        made = self._document(found, volume)
        if not is_there and not self.dry_run:
            place(target, found.scan, volume, self.link)
        if made is None:
            return Outcome(Action.UNCHANGED if is_there else Action.IMAGE_ONLY, volume.case_id)
        if is_written_anew(found.scan, volume) and target.is_file():
            made = replace(made, case=replace(made.case, image=replace(made.case.image, sha256=hash_files([target]))))
        return self._submit(store, stored[-1] if stored else None, made, volume)

    def _document(self, found: FoundCase, volume: Volume) -> Documented | None:
        if found.marks is None:
            return None
        diagnosis, said = found.diagnosis, self.settings.diagnosis
        if diagnosis is not None and said is not None and diagnosis != said:
            raise MarksError(f"its data say {diagnosis} and --diagnosis says {said}; leave --diagnosis out")
        diagnosis = diagnosis or said or self.layout.assumed_diagnosis
        notes = (f"Imported: {self.layout.origin}",)
        return document(volume, found.marks(volume), diagnosis, self.settings, self.at, notes, self.classes)

    def _kept(self, other: Annotation) -> Outcome:
        document = other.document
        reason = f"annotated by {other.reader} (version {other.version}), which an import leaves alone"
        return Outcome(Action.KEPT, other.case_id, document.diagnosis, len(document.regions), reason)

    def _submit(self, store: AnnotationStore, newest: Annotation | None, made: Documented, volume: Volume) -> Outcome:
        """The masks first, then the document: who finds the document finds the masks it speaks of."""
        case, reader = made.case, self.settings.reader
        lesions, lungs = (self.studies / folder for folder in (LESION_MASKS, LUNG_MASKS))
        action = Action.IMPORTED if newest is None else Action.UPDATED
        if newest is not None and same_content(newest.document, case):
            action = Action.UNCHANGED
            is_whole = all(
                mask is None or (folder / f"{case.case_id}.nii.gz").is_file()
                for folder, mask in ((lesions, made.lesions), (lungs, made.lungs))
            )
            if is_whole:
                return Outcome(action, case.case_id, case.diagnosis, len(case.regions))
        if not self.dry_run:
            label_map = place_mask(lesions, volume, made.lesions)
            place_mask(lungs, volume, made.lungs)
            if action is not Action.UNCHANGED:
                base = newest.version if newest else 0
                kept = label_map if made.lesions is not None else None
                try:
                    version = store.submit(case, reader, base=base, kind=IMPORT, label_map=kept)
                except ConflictError as conflict:
                    return self._kept(conflict.other)
                AuditLog(self.studies).record(reader, "import", case.case_id, version=version.version)
        return Outcome(action, case.case_id, case.diagnosis, len(case.regions))


def _check_settings(settings: ImportSettings, classes: Classes) -> None:
    for option, value, allowed in (
        ("--diagnosis", settings.diagnosis, classes.case_labels),
        ("--label", settings.label, classes.patch_labels),
    ):
        if value is not None and value not in allowed:
            raise SourceError(f"{option} {value}: not one of {', '.join(allowed)}")
    if not is_plain_name(settings.reader):
        raise SourceError(plain_name_rule("--reader", settings.reader))


def _named(found: Iterable[FoundCase | Refused | Remark], anonymous: bool) -> Iterator[FoundCase | Refused | Remark]:
    for item in found:
        if anonymous and isinstance(item, FoundCase):
            item = replace(item, scan=anonymous_name(item.scan))
        yield item

"""Masks beside scans: a label map for each scan, told by its name or its folder.

``<case>_mask.nii.gz``, ``<case>-seg.nrrd``, ``<case>.seg.nrrd``, ``<case>-label.nrrd`` and the like in any folder,
or ``<case>`` itself in a folder ``masks``, ``segmentations``, ``labels``...; with ``lung`` in the ending or the
folder's name it is the lungs' mask. A ``mask.nii.gz`` belongs to the only scan of its folder. Every value but 0 is
drawn: what the values stand for differs from site to site, and regions are told apart by where they lie (``regions``).
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...images import Input, Refused, Volume
from ...images.inputs import VOLUME_SUFFIXES
from ...images.mask_file import read_mask
from ...importers.found import FoundCase, Layout, Marks, SourceError
from ...importers.scans import files_below, find_scans, may_belong, name_of, shared_names, stem_of
from .sides import lungs_in_our_convention

_ENDING = re.compile(
    r"(?:^|[-_. ])((?P<lungs>lungs?([-_]?masks?)?)|((infection|lesion)s?[-_]?)?masks?|(infection|lesion|label)s?|seg|"
    r"segmentation)$",
    re.IGNORECASE,
)
_FOLDER = re.compile(r"(?P<lungs>lungs?[-_]?masks?|lungs)|.*masks?|seg|segmentations?|labels?|lesions?", re.IGNORECASE)


@dataclass(frozen=True)
class Masks:
    """The masks of one scan."""

    drawn: Path
    lungs: Path | None = None

    def read(self, volume: Volume) -> Marks:
        """What is drawn on the scan."""
        drawn = read_mask(self.drawn, volume) > 0
        if self.lungs is None:
            return Marks(drawn)
        lungs, notes = lungs_in_our_convention(read_mask(self.lungs, volume), volume)
        return Marks(drawn, lungs, notes=notes)


def mask_of(path: Path, source: Path) -> tuple[str, bool] | None:
    """The name of the case that a mask file belongs to, and whether it holds lungs; None for a file that is no mask."""
    stem = stem_of(path)
    ending = _ENDING.search(stem)
    # Only folders below the source: a source that is called "masks" makes nothing a mask.
    folder = _FOLDER.fullmatch(path.parent.name) if path.parent != source else None
    if ending is None and folder is None and not path.name.lower().endswith(".seg.nrrd"):
        return None
    is_lungs = any(match is not None and match["lungs"] is not None for match in (ending, folder))
    return stem[: ending.start()] if ending else stem, is_lungs


def _holds(source: Path, annotations: Path) -> bool:
    return any(mask_of(path, source) for path in files_below(source, VOLUME_SUFFIXES))


def _find(source: Path, annotations: Path) -> Iterator[FoundCase | Refused]:
    files: dict[tuple[str, bool], list[Path]] = defaultdict(list)
    for root in dict.fromkeys((source, annotations)):
        for path in files_below(root, VOLUME_SUFFIXES):
            # Whatever lies in a folder of annotations is one.
            found = mask_of(path, root) or ((stem_of(path), False) if root != source else None)
            if found is not None:
                files[found[0].lower(), found[1]].append(path)
    if not any(not is_lungs for _, is_lungs in files):
        raise SourceError(f"{source} has no masks such as <case>_mask.nii.gz or masks/<case>.nii.gz")
    scans = find_scans(source, lambda path: mask_of(path, source) is not None)
    inputs = [item for item in scans if isinstance(item, Input)]
    shared = shared_names(inputs)
    used: set[Path] = set()
    for item in scans:
        if isinstance(item, Refused):
            yield item
            continue
        drawn, lungs = (_of_scan(item, files, is_lungs, inputs, shared) for is_lungs in (False, True))
        used.update(drawn, lungs)
        double = next((paths for paths in (drawn, lungs) if len(paths) > 1), None)
        if double is not None:
            yield Refused(item.path, f"{double[0]} and {double[1]} are both its mask; leave one of them out")
            continue
        yield FoundCase(item, Masks(drawn[0], lungs[0] if lungs else None).read if drawn else None)
    for path in sorted({path for paths in files.values() for path in paths} - used):
        yield Refused(path, f"{path} is the mask of no scan here; name it after its scan")


def _of_scan(
    scan: Input,
    files: Mapping[tuple[str, bool], Sequence[Path]],
    is_lungs: bool,
    scans: Sequence[Input],
    shared: Collection[str],
) -> list[Path]:
    """The masks of a scan: those of its name, and those without a name where it is the only scan of its folder."""
    named = [path for path in files.get((name_of(scan), is_lungs), ()) if may_belong(path, scan, shared)]
    alone = sum(other.path.parent == scan.path.parent for other in scans) == 1
    nameless = files.get(("", is_lungs), ()) if alone else ()
    return named + [path for path in nameless if path.parent == scan.path.parent]


LAYOUT = Layout(
    name="masks",
    shape="<case>.nii.gz beside <case>_mask.nii.gz, <case>-seg.nrrd or masks/<case>.nii.gz",
    origin="masks drawn elsewhere; every value but 0 of a mask was taken as drawn.",
    holds=_holds,
    find=_find,
)

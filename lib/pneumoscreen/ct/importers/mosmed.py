"""MosMedData (Morozov et al. 2020): 1110 scans by severity, fifty of them with infection masks.

``studies/CT-0`` to ``studies/CT-4`` hold ``study_<number>.nii.gz``; ``masks/study_<number>_mask.nii.gz`` go with
fifty scans of CT-1. CT-0 shows no viral pneumonia, the others do.

A scan of CT-1 to CT-4 without a mask comes in as an image only. A document with the diagnosis but no regions would
teach both networks that these lungs hold nothing: the candidate network would get no box to find in them, and the
classifier would get all of their patches as irrelevant.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...images import Refused, Volume
from ...images.mask_file import read_mask
from ...importers.found import FoundCase, Layout, Marks, SourceError, nothing_marked
from ...importers.scans import files_below, find_scans, stem_of
from ...verdict import DEFAULT_CLASSES

_SEVERITY = re.compile(r"CT-[0-4]", re.IGNORECASE)
_CLEAR = "ct-0"


@dataclass(frozen=True)
class _Mask:
    path: Path

    def read(self, volume: Volume) -> Marks:
        return Marks(read_mask(self.path, volume) > 0)


def _severities(source: Path) -> list[Path]:
    """The folders CT-0 to CT-4, at most two levels below the source."""
    return sorted(
        path
        for pattern in ("CT-*", "*/CT-*", "*/*/CT-*")
        for path in source.glob(pattern)
        if path.is_dir() and _SEVERITY.fullmatch(path.name)
    )


def _holds(source: Path, annotations: Path) -> bool:
    return bool(_severities(source))


def _find(source: Path, annotations: Path) -> Iterator[FoundCase | Refused]:
    severities = _severities(source)
    if not severities:
        raise SourceError(f"{source} has no folders CT-0 to CT-4; unpack the studies there")
    masks = {
        stem_of(path).removesuffix("_mask"): path
        for path in files_below(source, (".nii", ".nii.gz"))
        if stem_of(path).endswith("_mask")
    }
    for folder in severities:
        for item in find_scans(folder):
            if isinstance(item, Refused):
                yield item
            elif folder.name.lower() == _CLEAR:
                yield FoundCase(item, nothing_marked, DEFAULT_CLASSES.none_found)
            elif item.case_id in masks:
                yield FoundCase(item, _Mask(masks[item.case_id]).read, DEFAULT_CLASSES.infections[0])
            else:
                yield FoundCase(item)


LAYOUT = Layout(
    name="mosmed",
    shape="studies/CT-0/ to studies/CT-4/ with masks/",
    origin="MosMedData COVID19_1110, Morozov et al. 2020, CC BY-NC-ND 3.0.",
    holds=_holds,
    find=_find,
)

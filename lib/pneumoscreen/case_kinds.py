"""Which kinds of image a case document may be of.

Standard library only and Python 3.9 syntax, like all modules that also run inside Slicer. CT and chest X-ray have
findings of their own in a document. A further kind has the fields that all cases share: image, diagnosis, verdict,
models, times and notes.
"""

from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from .xray_findings import CXR_CLASSES


@dataclass(frozen=True)
class Kind:
    """One kind of image.

    Attributes:
        modality: as documents name it.
        dimensions: of its images.
        labels: that a case may have; of a CT they are the site's.
        image: what one image is called, such as "scan".
        short: the kind in a word or two, for lists of several kinds.
        title: what its screening is called.
        endings: of names of its files, in small letters, where they tell it, such as ``.ultrasound.png``. Folders are
            searched for them where they end as other files that are read do.
    """

    modality: str
    dimensions: int
    labels: Tuple[str, ...]
    image: str
    short: str
    title: str
    endings: Tuple[str, ...] = ()


KINDS: Dict[str, Kind] = {
    kind.modality: kind
    for kind in (
        Kind("CT", 3, (), "scan", "CT", "Chest CT screening"),
        Kind("CXR", 2, CXR_CLASSES, "X-ray", "X-ray", "Chest X-ray screening"),
    )
}
"""By modality."""
MODALITIES = tuple(KINDS)
"""The kinds that the contract describes in full."""


def modality_of_name(name: str) -> Optional[str]:
    """The modality that the ending of a file's name tells; None where it tells none."""
    small = name.lower()
    return next((kind.modality for kind in KINDS.values() if kind.endings and small.endswith(kind.endings)), None)


def add_kind(kind: Kind) -> None:
    """Let documents be of a further kind."""
    KINDS[kind.modality] = kind

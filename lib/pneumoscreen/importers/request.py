"""What an import is asked for, whichever the method."""

from dataclasses import dataclass
from pathlib import Path

from ..models.store import ModelStore
from .found import ImportSettings


@dataclass(frozen=True)
class ImportRequest:
    """Data of others that are to come into a studies folder.

    Attributes:
        source: folder of the images.
        annotations: folder of the annotations.
        studies: the studies folder.
        settings: what the user says of the data.
        store: of the models, for what the data do not give.
        link: hard-link images where possible.
        dry_run: do everything but write.
        anonymous_ids: name cases by hashes.
    """

    source: Path
    annotations: Path
    studies: Path
    settings: ImportSettings
    store: ModelStore
    link: bool = False
    dry_run: bool = False
    anonymous_ids: bool = False

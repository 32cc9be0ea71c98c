"""Training cases of the candidate network: on its working grid, and cached there (ours)."""

import glob
import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import PneumoScreenError
from ...images.volume import Volume
from ...models.atomic_files import write_arrays
from ...verdict import DEFAULT_CLASSES, Classes
from ..candidates.working_grid import WorkingGrid, WorkingGridSettings, place_grid
from ..truth import TrueLesion

_CACHE_VERSION = 1


class TrueCase(Protocol):
    """A CT with its truth, as phantoms and ``studies.cases`` give it; ``infection`` None: boxes only."""

    @property
    def volume(self) -> Volume:
        """The scan."""

    @property
    def lungs(self) -> NDArray[np.uint8]:
        """Lungs [z, y, x], any value but 0."""

    @property
    def infection(self) -> NDArray[np.uint8] | None:
        """Lesion map [z, y, x]: number of the finding at each voxel."""

    @property
    def lesions(self) -> Sequence[TrueLesion]:
        """All findings, infections and irrelevant ones."""


@dataclass(frozen=True)
class PreparedCase:
    """A case on the working grid.

    Attributes:
        case_id: of the case.
        hu: int16 [z, y, x].
        lungs: uint8 [z, y, x], 1 in the lungs.
        infection: uint8 [z, y, x], 1 in infections; None where the case has boxes only.
        boxes: float32 [n, 6] of the infections, edge coordinates of the grid.
        ignored: float32 [m, 6] of the irrelevant findings.
    """

    case_id: str
    hu: NDArray[np.int16]
    lungs: NDArray[np.uint8]
    infection: NDArray[np.uint8] | None
    boxes: NDArray[np.float32]
    ignored: NDArray[np.float32]


def prepare_case(case: TrueCase, settings: WorkingGridSettings, classes: Classes = DEFAULT_CLASSES) -> PreparedCase:
    """A case resampled once onto the working grid, exactly as ``find_candidates`` does it.

    A mask that does not show every infection (a lesion's number is 0) is not used: what it leaves out would be taught
    as healthy.

    Raises:
        NoLungsError: if the case shows no lungs.
    """
    grid = place_grid(case.volume, case.lungs, settings)
    infected = [lesion for lesion in case.lesions if lesion.label != classes.irrelevant]
    irrelevant = [lesion for lesion in case.lesions if lesion.label == classes.irrelevant]
    infection = None
    numbers = [lesion.number for lesion in infected]
    if case.infection is not None and all(numbers):
        mask = np.isin(case.infection, numbers)
        infection = (grid.sample(mask) >= 0.5).numpy().astype(np.uint8)
    return PreparedCase(
        case.volume.case_id,
        grid.sample(case.volume.hu).round().numpy().astype(np.int16),
        (grid.sample(case.lungs != 0) >= 0.5).numpy().astype(np.uint8),
        infection,
        _boxes(infected, grid),
        _boxes(irrelevant, grid),
    )


def _boxes(lesions: Sequence[TrueLesion], grid: WorkingGrid) -> NDArray[np.float32]:
    rows = np.array([lesion.box for lesion in lesions], dtype=np.float64).reshape(-1, 6)
    return grid.boxes_to_grid(rows).astype(np.float32)


class CaseCache:
    """Prepared cases on disk, one file a case, uncompressed because they are read thousands of times."""

    def __init__(self, folder: Path, settings: WorkingGridSettings) -> None:
        key = json.dumps([_CACHE_VERSION, settings.model_dump(mode="json")])
        self.folder = folder / f"grid-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
        self._settings = settings
        self.folder.mkdir(parents=True, exist_ok=True)

    def path(self, case_id: str, origin: str = "") -> Path:
        """The file of a case; ``origin`` tells apart what was prepared from other labels (see ``Study.origin``)."""
        return self.folder / origin / f"{case_id}.npz"

    def add(self, case: TrueCase, classes: Classes = DEFAULT_CLASSES, origin: str = "") -> Path:
        """Prepare a case unless that has been done; returns its file."""
        path = self.path(case.volume.case_id, origin)
        if not path.exists():
            prepared = prepare_case(case, self._settings, classes)
            write_arrays(path, {name: value for name, value in vars(prepared).items() if isinstance(value, np.ndarray)})
        return path

    def drop_others(self, case_id: str, origin: str) -> None:
        """Remove what was prepared of a case from labels that count no more."""
        for path in self.folder.glob(f"*/{glob.escape(case_id)}.npz"):
            if path.parent.name != origin:
                path.unlink(missing_ok=True)


def read_prepared(path: Path) -> PreparedCase:
    """A prepared case from its file.

    Raises:
        PneumoScreenError: if the file is damaged; removing it makes the next run prepare the case again.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return PreparedCase(
                path.stem,
                arrays["hu"],
                arrays["lungs"],
                arrays["infection"] if "infection" in arrays.files else None,
                arrays["boxes"],
                arrays["ignored"],
            )
    except (zipfile.BadZipFile, ValueError, KeyError, EOFError) as error:
        raise PneumoScreenError(f"{path} is damaged ({error}); remove it and train again") from None

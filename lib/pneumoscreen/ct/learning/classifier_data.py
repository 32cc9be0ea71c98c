"""The patches that the classifier is trained on: cut from cases with known truth, kept in one file.

Where patches come from: the candidate network's own regions, as in the paper (section 2.4), and, ours,
the true findings with loosened boxes and random pieces of lung, so that the classifier does not have
to be retrained with every new candidate network.
"""

import hashlib
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from ...config import Settings
from ...errors import PneumoScreenError
from ...models.atomic_files import staged, write_arrays
from ...studies.split import Side, SplitSettings, side_of
from ...verdict import DEFAULT_CLASSES, Classes
from ..classifier import ClassifierNetwork
from ..lungs.segmentation import Lungs
from ..patches import PatchImage, PatchSettings, RegionError, extract_patches
from ..truth import TrueCase, label_patch

SOURCES = ("candidate", "finding", "loosened", "random")
"""Where a region comes from: the candidate network, a true box, a true box moved and scaled, anywhere."""

_HASHED_ROWS = 4096


class PatchDataSettings(Settings):
    """How many regions of a case become patches.

    Attributes:
        loosened: moved and scaled copies of each true box.
        shift: largest move of a copy, as a share of the box's side.
        stretch: largest factor on a side, and its inverse; most are above 1, as candidate boxes are.
        random: pieces of lung taken anywhere.
        random_mm: shortest and longest side of these.
    """

    loosened: int = Field(1, ge=0, le=100)
    shift: float = Field(0.2, ge=0.0, le=0.5)
    stretch: float = Field(1.6, ge=1.0, le=4.0)
    random: int = Field(5, ge=0, le=100)
    random_mm: tuple[float, float] = (10.0, 70.0)


@dataclass(frozen=True)
class PatchSet:
    """Patches with their truth, one row a patch.

    Attributes:
        pixels: uint8 [n, size, size]; 255 is the upper end of the HU window. Ours: a byte is as fine as the
            noise of a CT in this window. May lie in a file that is mapped into memory (``gather``).
        labels: int64 [n], index into ``Classes.patch_labels``.
        distances: float32 [n], relative distance-from-edge.
        regions: int64 [n], running number of the region a patch belongs to.
        sources: int64 [n], index into ``SOURCES``.
        patients: str [n]; a patient is never both in training and in validation.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    distances: NDArray[np.float32]
    regions: NDArray[np.int64]
    sources: NDArray[np.int64]
    patients: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, chosen: NDArray[np.bool_]) -> "PatchSet":
        """The rows where ``chosen`` [n] holds; rows that lie side by side are not copied."""
        rows = np.flatnonzero(chosen)
        if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
            return PatchSet(*(getattr(self, f.name)[rows[0] : rows[-1] + 1] for f in fields(self)))
        return PatchSet(*(getattr(self, f.name)[rows] for f in fields(self)))

    def digest(self) -> bytes:
        """SHA-256 of pixels and labels, which need not be in memory for it."""
        found = hashlib.sha256(self.labels.tobytes())
        for start in range(0, len(self), _HASHED_ROWS):
            found.update(self.pixels[start : start + _HASHED_ROWS].tobytes())
        return found.digest()

    def save(self, path: Path) -> None:
        """Write to an ``.npz`` file; a killed run never leaves half a file under the name."""
        write_arrays(path, {f.name: getattr(self, f.name) for f in fields(self)}, is_compressed=True)

    @classmethod
    def load(cls, path: Path, with_pixels: bool = True) -> "PatchSet":
        """Read what ``save`` wrote; without its pixels, ``pixels`` is [n, 0, 0].

        Raises:
            PneumoScreenError: if the file is not a patch file.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                names = [f.name for f in fields(cls) if with_pixels or f.name != "pixels"]
                columns = {name: stored[name] for name in names}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise PneumoScreenError(f"{path} is not a file of patches ({error}); remove it, it is made anew") from None
        return cls(**{"pixels": np.zeros((len(columns["labels"]), 0, 0), dtype=np.uint8), **columns})

    @classmethod
    def join(cls, parts: Sequence["PatchSet"]) -> "PatchSet":
        """All rows of several sets; regions are numbered anew so that they stay apart.

        Raises:
            PneumoScreenError: if there are no rows at all.
        """
        parts = [part for part in parts if len(part)]
        if not parts:
            raise PneumoScreenError("the studies hold no labelled region; annotate cases first")
        counts = [int(part.regions.max()) + 1 for part in parts]
        offsets = np.concatenate([[0], np.cumsum(counts)[:-1]])
        columns = {f.name: [getattr(part, f.name) for part in parts] for f in fields(cls)}
        columns["regions"] = [part.regions + offset for part, offset in zip(parts, offsets, strict=True)]
        return cls(**{name: np.concatenate(column) for name, column in columns.items()})


def collect_patches(
    case: TrueCase,
    patient: str,
    lungs: Lungs,
    candidates: NDArray[np.float64],
    seed: int,
    settings: PatchDataSettings | None = None,
    patches: PatchSettings | None = None,
    classes: Classes = DEFAULT_CLASSES,
) -> PatchSet:
    """All patches of one case.

    Args:
        case: scan and truth.
        patient: whose it is.
        lungs: the lung masks that screening would use.
        candidates: [n, 6] index boxes of the candidate network; may be empty.
        seed: of the loosened and the random boxes.
        settings: how many of them.
        patches: how patches are cut; must be those of the network to be trained.
        classes: the class list.
    """
    settings, patches = settings or PatchDataSettings(), patches or PatchSettings()
    rng = np.random.default_rng(seed)
    boxes = {
        "candidate": list(candidates),
        "finding": [np.asarray(lesion.box, dtype=np.float64) for lesion in case.lesions],
        "loosened": [
            _loosen(np.asarray(lesion.box, dtype=np.float64), settings, rng)
            for lesion in case.lesions
            for _ in range(settings.loosened)
        ],
        "random": _random_boxes(lungs, case.volume.spacing_zyx, settings, rng),
    }
    images: list[PatchImage] = []
    labels: list[int] = []
    regions: list[int] = []
    sources: list[int] = []
    region = 0
    for source, some in boxes.items():
        for box in some:
            try:
                found = extract_patches(case.volume, lungs, box, patches)
            except RegionError:
                continue
            images += found
            labels += [classes.patch_labels.index(label_patch(box, image.z, case, classes)) for image in found]
            regions += [region] * len(found)
            sources += [SOURCES.index(source)] * len(found)
            region += 1
    stack = np.array([image.pixels for image in images], dtype=np.float32).reshape(-1, patches.size, patches.size)
    return PatchSet(
        pixels=np.round(stack * 255.0).astype(np.uint8),
        labels=np.array(labels, dtype=np.int64),
        distances=np.array([image.distance_from_edge for image in images], dtype=np.float32),
        regions=np.array(regions, dtype=np.int64),
        sources=np.array(sources, dtype=np.int64),
        patients=np.array([patient] * len(images), dtype=np.str_),
    )


def gather(files: Sequence[Path], target: Path) -> PatchSet:
    """The rows of several saved sets one after the other, their pixels in one file that is mapped into memory.

    So the memory that a training needs does not grow with the studies: a row is read when it is drawn, and what was
    read the system takes back where memory is short.

    Args:
        files: saved sets; empty ones are passed over.
        target: the ``.npy`` file to write the pixels to; replaced where there is one.

    Raises:
        PneumoScreenError: if a file is damaged or there are no rows at all.
    """
    with staged(target) as part, part.open("wb") as stream:
        # The header of an array file has the same length for every number of rows.
        _write_header(stream, (0, 0, 0))
        count = side = 0
        for file in files:
            pixels = PatchSet.load(file).pixels
            stream.write(pixels.tobytes())
            count, side = count + len(pixels), pixels.shape[1] if len(pixels) else side
        stream.seek(0)
        _write_header(stream, (count, side, side))
    return gathered(files, target)


def gathered(files: Sequence[Path], target: Path) -> PatchSet:
    """What ``gather`` made of the same files, for another process.

    Raises:
        PneumoScreenError: if a file is damaged or there are no rows at all.
    """
    columns = PatchSet.join([PatchSet.load(file, with_pixels=False) for file in files])
    return replace(columns, pixels=np.load(target, mmap_mode="c"))  # torch wants arrays it could write to


def _write_header(stream: BinaryIO, shape: tuple[int, int, int]) -> None:
    np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})


def split_patches(patches: PatchSet, shares: SplitSettings) -> tuple[PatchSet, PatchSet]:
    """Training and validation patches, divided by patient; those of the test patients are in neither.

    Raises:
        PneumoScreenError: if one of the two would be empty.
    """
    names, owner = np.unique(patches.patients, return_inverse=True)
    sides = np.array([side_of(str(name), shares) for name in names], dtype=object)[owner]
    training, validation = sides == Side.TRAINING, sides == Side.VALIDATION
    if not training.any() or not validation.any():
        raise PneumoScreenError(
            f"{len(names)} patients cannot be divided into training and validation with split.validation "
            f"{shares.validation:g} and split.test {shares.test:g}; label cases of more patients or change the shares"
        )
    return patches.select(training), patches.select(validation)


def _loosen(box: NDArray[np.float64], settings: PatchDataSettings, rng: np.random.Generator) -> NDArray[np.float64]:
    center, side = (box[:3] + box[3:]) / 2, box[3:] - box[:3]
    center = center + rng.uniform(-settings.shift, settings.shift, 3) * side
    # Two thirds of the range on a logarithmic scale lie above 1: candidate boxes are wide more often than tight.
    side = side * settings.stretch ** rng.uniform(-0.5, 1.0, 3)
    return np.concatenate([center - side / 2, center + side / 2])


def _random_boxes(
    lungs: Lungs, spacing_zyx: Sequence[float], settings: PatchDataSettings, rng: np.random.Generator
) -> list[NDArray[np.float64]]:
    """Boxes centred on lung voxels, the logarithm of their sides uniform."""
    voxels = np.flatnonzero(lungs.labels)
    if not voxels.size:
        return []
    chosen = rng.choice(voxels, settings.random)
    centers = np.stack(np.unravel_index(chosen, lungs.labels.shape), axis=1)
    low, high = np.log(settings.random_mm)
    sides = np.exp(rng.uniform(low, high, (settings.random, 3))) / np.asarray(spacing_zyx)
    return [np.concatenate([c - s / 2, c + s / 2]) for c, s in zip(centers.astype(np.float64), sides, strict=True)]


BATCH = 256


def patch_batch(patches: PatchSet, rows: NDArray[np.int64] | slice) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels float32 [b, 1, size, size] in 0 to 1, distances float32 [b] and labels int64 [b] of some rows."""
    pixels = torch.from_numpy(patches.pixels[rows].astype(np.float32)).div_(255.0)[:, None]
    return pixels, torch.tensor(patches.distances[rows]), torch.tensor(patches.labels[rows])


@torch.no_grad()
def logits_of(
    network: ClassifierNetwork, device: torch.device, patches: PatchSet
) -> Iterator[tuple[slice, dict[str, Tensor]]]:
    """Rows and the logits [b, classes] of each head for them; the network must be in evaluation mode."""
    for start in range(0, len(patches), BATCH):
        rows = slice(start, min(start + BATCH, len(patches)))
        pixels, distance, _ = patch_batch(patches, rows)
        yield rows, network(pixels.to(device, memory_format=torch.channels_last), distance.to(device))

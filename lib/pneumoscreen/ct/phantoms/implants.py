"""Synthetic lesions put onto the lungs of a real scan, to close the gap to real texture.

Ours. The scan gives vessels, fissures, noise and reconstruction; the lesions and their truth are the
phantoms'. Only scans whose licence allows it, and lungs known to hold no opacity, belong here.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...errors import ImageError
from ...images.volume import Volume
from ...phantoms.anatomy import Axes
from ...phantoms.lesion_kinds import Manifestation
from ...phantoms.lesions import LesionModel, laid_over
from ...phantoms.placement import LungMap, draw_lesions, window_of
from ...verdict import DEFAULT_CLASSES
from .phantom import MAX_PAINTED_MM, Phantom, lesion_truth

COARSE_MM = 4.0
GRAIN_HU = 14.0


def implant_lesions(
    volume: Volume,
    lungs: NDArray[np.uint8],
    diagnosis: str,
    seed: int,
    shown: NDArray[np.uint8] | None = None,
    manifestation: Manifestation = "drawn",
) -> Phantom:
    """A real scan with synthetic lesions in its lungs.

    Args:
        volume: a scan whose axes are those of the patient (identity direction).
        lungs: uint8 [z, y, x], 1 left, 2 right; only lungs known to be free of opacities.
        diagnosis: a class of the case list.
        seed: decides everything that is drawn.
        shown: all lungs in view, for ``Phantom.lungs``; by default those that lesions are put into.
        manifestation: of the infection, see ``draw_lesions``.

    Raises:
        ImageError: if the scan is oblique.
        ValueError: if the lung map is empty.
    """
    if not np.allclose(volume.direction, np.eye(3), atol=1e-3):
        raise ImageError(f"{volume.source}: lesions are put onto scans with axial slices only; resample it first")
    if not lungs.any():
        raise ValueError("there is no lung to put lesions into")
    rng = np.random.default_rng([seed, DEFAULT_CLASSES.case_labels.index(diagnosis), 7])
    axes = _axes(volume)
    lesions = draw_lesions(diagnosis, _coarse_map(lungs, axes), rng, manifestation)
    hu, numbers = volume.hu.astype(np.float32), np.zeros(lungs.shape, np.uint8)
    for value, lesion in enumerate(lesions, start=1):
        _paint(lesion, value, axes, volume.spacing_mm[2], hu, numbers, lungs > 0)
    case_id = f"{volume.case_id}-implant-{seed:06d}"
    implanted = replace(volume, hu=np.clip(np.rint(hu), -1024, 3071).astype(np.int16), case_id=case_id)
    return Phantom(implanted, lungs if shown is None else shown, numbers, lesion_truth(numbers, lesions), diagnosis)


def implant_either_way(volume: Volume, lungs: NDArray[np.uint8], diagnosis: str, seed: int) -> Phantom:
    """``implant_lesions`` on the scan as it is for an odd seed, on its mirror image for an even one."""
    scan = (volume, lungs) if seed % 2 else mirrored(volume, lungs)
    return implant_lesions(*scan, diagnosis, seed)


def mirrored(volume: Volume, lungs: NDArray[np.uint8]) -> tuple[Volume, NDArray[np.uint8]]:
    """The scan of the mirror-image patient: voxels flipped left to right, sides exchanged."""
    exchanged = np.array([0, 2, 1], np.uint8)[lungs[:, :, ::-1]]
    return replace(volume, hu=np.ascontiguousarray(volume.hu[:, :, ::-1])), exchanged


def _axes(volume: Volume) -> Axes:
    depth, height, width = volume.hu.shape
    x, y, z = (
        (volume.origin_mm[i] + volume.spacing_mm[i] * np.arange(count)).astype(np.float32)
        for i, count in enumerate((width, height, depth))
    )
    return x, y, z


def _coarse_map(lungs: NDArray[np.uint8], axes: Axes) -> LungMap:
    steps = [max(1, round(COARSE_MM / float(axis[1] - axis[0]))) for axis in axes]
    labels = lungs[:: steps[2], :: steps[1], :: steps[0]]
    return LungMap.build(labels, (axes[0][:: steps[0]], axes[1][:: steps[1]], axes[2][:: steps[2]]))


def _paint(
    lesion: LesionModel,
    value: int,
    axes: Axes,
    thickness: float,
    hu: NDArray[np.float32],
    numbers: NDArray[np.uint8],
    inside: NDArray[np.bool_],
) -> None:
    window = window_of(axes, *lesion.bounds)
    x, y, z = (axes[i][window[2 - i]] for i in range(3))
    if not (len(x) and len(y) and len(z)):
        return
    parts = max(1, int(np.ceil(thickness / MAX_PAINTED_MM)))
    offsets = ((np.arange(parts) + 0.5) / parts - 0.5) * thickness
    rendered = [lesion.render(x, y, (z + offset).astype(np.float32)) for offset in offsets]
    opacity = np.mean([alpha for alpha, _ in rendered], axis=0)
    target = np.mean([value_hu for _, value_hu in rendered], axis=0)
    # What fills the air is as noisy as the rest of the scan; the lung's own noise goes with the air.
    noise = np.random.default_rng([lesion.texture, 3]).standard_normal(target.shape, dtype=np.float32)
    grain = np.float32(GRAIN_HU) * ndimage.gaussian_filter(noise, (0.0, 0.6, 0.6)) * np.float32(2.1)
    part, lung = hu[window], inside[window]
    painted = laid_over(part, opacity, target + grain)
    part[lung] = painted[lung]
    numbers[window][(opacity > 0.4) & lung] = value

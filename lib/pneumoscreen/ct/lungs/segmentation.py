"""Step 1 of the CT method: the effective pulmonary region, as a left and a right lung mask.

Classical image analysis, no learned weights: air inside the body, airways out, sides told apart, disease that
touches the pleura put back (``lung_repair``), and the edge drawn at full resolution (``lung_grid``).
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import NoLungsError
from ...images.volume import LEFT, RIGHT, Volume
from .airways import find_airways
from .body import air_reference, inside_body
from .grid import LungGrid, reduce_volume, refine_labels
from .gut import find_gut
from .morphology import beside_in_slice, box_of
from .repair import repair_lungs
from .sides import Sides, assign_sides
from .size import body_scale, scaled_spacing

Side = Literal["left", "right"]
SIDES: tuple[Side, ...] = ("left", "right")

AIR_HU = -400
SMALLEST_ML = 150.0
BASES_SHARE = 0.5
BASES_MM = 130.0
SHOWN_CM2 = 1.0
TOP_MM = 15.0
CUT_SHARE = 0.8
CUT_CM2 = 25.0
RIM = 8


@dataclass(frozen=True)
class Lungs:
    """The lungs of a volume.

    Attributes:
        labels: uint8 [z, y, x] on the volume's grid: 0 none, 1 the patient's left lung, 2 the right.
        notes: one sentence for each thing the reader of the report should know.
    """

    labels: NDArray[np.uint8]
    notes: tuple[str, ...] = ()

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Both lungs, bool [z, y, x]."""
        return self.labels > 0

    def side_mask(self, side: Side) -> NDArray[np.bool_]:
        """One lung, bool [z, y, x]."""
        return self.labels == (LEFT if side == "left" else RIGHT)

    def side_mask_in(self, side: str, window: tuple[slice, slice, slice]) -> NDArray[np.bool_]:
        """One lung in a window of the volume, bool [z, y, x]."""
        return np.asarray(self.labels[window] == (LEFT if side == "left" else RIGHT))

    def volume_ml(self, side: Side, spacing_mm: tuple[float, float, float]) -> float:
        """Volume of one lung in ml; 0.0 when that lung is not in view."""
        return float(np.count_nonzero(self.side_mask(side)) * np.prod(spacing_mm) / 1000)

    def side_of(self, index_box: NDArray[np.float64]) -> Side:
        """The side most lung voxels of an index box belong to; without any, the side of the nearest lung voxel.

        Args:
            index_box: continuous [z0, y0, x0, z1, y1, x1] on the volume's grid.
        """
        box = np.asarray(index_box, dtype=np.float64)
        low = np.clip(np.ceil(box[:3]).astype(int), 0, np.array(self.labels.shape) - 1)
        high = np.maximum(np.floor(box[3:]).astype(int) + 1, low + 1)
        counts = np.bincount(self.labels[tuple(map(slice, low, high))].ravel(), minlength=3)
        if counts[LEFT] != counts[RIGHT]:
            return "left" if counts[LEFT] > counts[RIGHT] else "right"
        center = (box[:3] + box[3:]) / 2
        distances = [self._distance(center, side) for side in (LEFT, RIGHT)]
        return "left" if distances[0] <= distances[1] else "right"

    def _distance(self, center: NDArray[np.float64], side: int) -> float:
        step = tuple(max(1, n // 100) for n in self.labels.shape)
        thinned = self.labels[:: step[0], :: step[1], :: step[2]]
        points = np.argwhere(thinned == side) * np.array(step)
        return float(np.linalg.norm(points - center, axis=1).min()) if len(points) else np.inf


def segment_lungs(volume: Volume) -> Lungs:
    """Left and right lung, disease inside, trachea and main bronchi out.

    A small body is measured in the millimetres of a large one, so that every length, area and volume of the
    method fits a newborn as well. A scan that shows a part of the chest is segmented as far as it goes, and the notes
    say where it is cut. A
    scan that shows only the bases of the lungs (an abdomen) is refused.

    Args:
        volume: canonical LPS, int16 HU.

    Raises:
        NoLungsError: nothing in the volume has the size and place of a lung.
    """
    scale = body_scale(volume.hu, volume.spacing_zyx)
    grid = reduce_volume(volume.hu, scaled_spacing(volume.spacing_zyx, scale))
    whole_inside = inside_body(grid)
    window = _body_window(whole_inside)
    body = replace(grid, hu=np.ascontiguousarray(grid.hu[window]))
    inside = np.ascontiguousarray(whole_inside[window])
    free_air = air_reference(body, inside)
    airways = find_airways(body, inside, free_air)
    barred = beside_in_slice(airways)  # the lumen with its wall
    air = inside & (body.hu < AIR_HU) & ~barred
    gut = find_gut(body, air, airways, free_air)
    air &= ~gut
    barred |= gut
    sides = assign_sides(body, air, airways, inside, free_air)
    if sides is None:
        raise _no_lungs(volume, "no air-filled organ of a lung's size was found")
    _check_plausible(volume, body, sides, airways, scale)
    labels = repair_lungs(body, sides, inside, barred)
    refined = refine_labels(volume.hu, grid, window, labels, body.hu < AIR_HU, barred, AIR_HU)
    return Lungs(refined, _notes(grid, sides, refined))


def _body_window(inside: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    """The rows and columns that hold the body, with a rim of air around; every slice."""
    depth, height, width = inside.shape
    _, y, x = box_of(inside) or (slice(0, depth), slice(0, height), slice(0, width))
    rows, columns = (slice(max(span.start - RIM, 0), span.stop + RIM) for span in (y, x))
    return slice(0, depth), rows, columns


def _check_plausible(volume: Volume, grid: LungGrid, sides: Sides, airways: NDArray[np.bool_], scale: float) -> None:
    areas = np.count_nonzero(sides.labels, axis=(1, 2)) * grid.pixel_cm2
    total = areas.sum() * grid.spacing[0] / 10
    if total < SMALLEST_ML:
        raise _no_lungs(volume, f"only {total * scale**3:.0f} ml of air-bearing tissue was found")
    if _only_bases(grid, areas, airways):
        raise _no_lungs(volume, "only the bases of the lungs are in view")


def _only_bases(grid: LungGrid, areas: NDArray[np.float64], airways: NDArray[np.bool_]) -> bool:
    """Whether the scan is one of the abdomen: lungs cut at its top, low, no airway beside them, and more below.

    Args:
        grid: the reduced grid.
        areas: of the lungs in each slice in cm2.
        airways: lumen of trachea and main bronchi.
    """
    shown = np.flatnonzero(areas > SHOWN_CM2)
    height = len(shown) * grid.spacing[0]
    top = max(1, round(TOP_MM / grid.spacing[0]))
    cut = areas[-top:].max() >= CUT_SHARE * areas.max()
    low = height < BASES_MM and len(shown) < BASES_SHARE * len(areas) and shown[0] > 0
    return bool(cut and low and not airways[shown[0] :].any())


def _no_lungs(volume: Volume, reason: str) -> NoLungsError:
    return NoLungsError(f"{volume.source.name}: no lungs in view ({reason}); give a CT of the chest.")


def _notes(grid: LungGrid, sides: Sides, labels: NDArray[np.uint8]) -> tuple[str, ...]:
    notes = []
    if sides.single:
        side, other = ("left", "right") if sides.single == LEFT else ("right", "left")
        notes.append(f"Only the {side} lung is in view or bears air; nothing is said about the {other} lung.")
    pixel = grid.pixel_cm2 / (grid.factors[1] * grid.factors[2])
    if np.count_nonzero(labels[-1]) * pixel > CUT_CM2:
        notes.append("The top of the lungs lies outside the scan.")
    if np.count_nonzero(labels[0]) * pixel > CUT_CM2:
        notes.append("The bases of the lungs lie outside the scan.")
    return tuple(notes)

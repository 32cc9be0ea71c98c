"""Lines laid over pictures as SVG: outlines of masks, and the way from a patch to the edge of the lung."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.measure import find_contours

from .pictures import Frame
from .polyline import simplified

SIMPLIFICATION_PIXELS = 0.4
"""Ours: half a pixel is not seen, and cuts an outline's points to a third."""

Contour = NDArray[np.float64]


@dataclass(frozen=True)
class EdgeLine:
    """From the centre of a patch to the nearest edge of the lung, in mm of a picture.

    Attributes:
        start: (x, y) of the patch's centre.
        end: (x, y) of the nearest edge point; the centre itself where it lies outside the lung.
        length_mm: 0 where the centre lies outside the lung.
        inside: the centre lies in the lung.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    length_mm: float
    inside: bool


def mask_contours(mask: NDArray[np.bool_], frame: Frame) -> list[Contour]:
    """Outlines of a mask in a plane, cut to a frame: arrays [n, 2] of continuous (row, column) in the plane."""
    part = np.pad(mask[slice(*frame.rows), slice(*frame.columns)], 1)  # closes outlines at the picture's border
    offset = np.array([frame.rows[0] - 1, frame.columns[0] - 1])
    return [contour + offset for contour in find_contours(part.view(np.uint8), 0.5)]


def svg_path(contours: list[Contour], frame: Frame) -> str:
    """SVG path data, in mm of the picture, of closed outlines; empty for none."""
    commands = []
    for contour in contours:
        points = [frame.point(row, column) for row, column in simplified(contour, SIMPLIFICATION_PIXELS)]
        if len(points) > 3:
            commands.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points[:-1]) + "Z")
    return "".join(commands)


def edge_line(
    center: tuple[float, float], lung: NDArray[np.bool_], contours: list[Contour], frame: Frame
) -> EdgeLine | None:
    """The way from a patch's centre to the nearest edge of the lung in its slice (paper, section 2.5.2).

    Args:
        center: continuous (row, column) of the patch's centre in the slice.
        lung: lung mask of the slice.
        contours: outlines of that mask.
        frame: the picture to draw in.

    Returns:
        The line, or None where the slice holds no lung.
    """
    if not contours:
        return None
    start = frame.point(*center)
    row, column = (int(np.clip(round(index), 0, size - 1)) for index, size in zip(center, lung.shape, strict=True))
    if not lung[row, column]:
        return EdgeLine(start, start, 0.0, inside=False)
    spacing = np.array([frame.row_mm, frame.column_mm])
    edge = np.concatenate(contours)
    distances = np.linalg.norm((edge - np.asarray(center)) * spacing, axis=1)
    nearest = int(distances.argmin())
    return EdgeLine(start, frame.point(*edge[nearest]), float(distances[nearest]), inside=True)

"""A box on a radiograph as it hangs, as corners on the picture as it is stored."""

from pydicom.dataset import Dataset

from ..case import Vector
from .radiograph_header import hanging


def stored_corners(box: Vector, image: Dataset) -> list[tuple[float, float]]:
    """The closed outline (column, row) of a box (x, y, w, h) in pixels of the hung picture.

    Args:
        box: pixel i covers i to i + 1, which DICOM's coordinates on an image do as well.
        image: header of the radiograph.
    """
    turn = hanging(image)
    rows, columns = int(image.Rows), int(image.Columns)
    width, height = (rows, columns) if turn.transpose else (columns, rows)
    x, y, w, h = box
    corners = []
    for hung_x, hung_y in ((x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)):
        column = width - hung_x if turn.flip_x else hung_x
        row = height - hung_y if turn.flip_y else hung_y
        column, row = min(max(column, 0.0), float(width)), min(max(row, 0.0), float(height))
        corners.append((row, column) if turn.transpose else (column, row))
    return corners

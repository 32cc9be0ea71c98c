"""Which lung a box lies in, by the masks of the screening."""

from typing import Optional, Sequence

import numpy as np

from ..contract import lps_to_ras
from .label_map import LEFT, RIGHT, LabelMap


class LungSides:
    """Samples of both lungs where they lie in the patient.

    Args:
        samples: 1 left lung, 2 right lung; what else it has is passed over.
    """

    def __init__(self, samples: LabelMap) -> None:
        places = np.argwhere((samples.values == LEFT) | (samples.values == RIGHT))
        self._is_left: np.ndarray = samples.values[tuple(places.T)] == LEFT
        # Array axes are k, j, i.
        turn, shift = samples.to_ras[:3, :3], samples.to_ras[:3, 3]
        self._points: np.ndarray = (places[:, ::-1] @ turn.T + shift).astype(np.float32)

    def side_of(self, center_mm: Sequence[float], size_mm: Sequence[float], axes: np.ndarray) -> Optional[str]:
        """The lung that has most of a box; where it touches none, the lung that is nearest to its centre.

        Args:
            center_mm: of the box, LPS.
            size_mm: of its edges.
            axes: [3, 3], columns are the RAS directions of its sides.

        Returns:
            ``left`` or ``right``, the patient's; None where there is no lung at all.
        """
        if not len(self._points):
            return None
        away: np.ndarray = self._points - np.array(lps_to_ras(center_mm), dtype=np.float32)
        inside = (np.abs(away @ axes.astype(np.float32)) <= np.array(size_mm, dtype=np.float32) / 2).all(axis=1)
        if inside.any():
            is_left = 2 * int(self._is_left[inside].sum()) >= int(inside.sum())
        else:
            is_left = bool(self._is_left[np.argmin((away**2).sum(axis=1))])
        return "left" if is_left else "right"

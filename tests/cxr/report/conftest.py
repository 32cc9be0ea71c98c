"""A radiograph made by hand, and its screening; the CT's beside it, for pages that show both."""

from pathlib import Path

import numpy as np
import pytest
from tests.ct.report.conftest import phantom, screening, volume

from pneumoscreen.case import Case, Cxr, ModelInfo, placed
from pneumoscreen.cxr.screening import CxrScreening
from pneumoscreen.images.radiograph import Radiograph
from pneumoscreen.verdict import Verdict

__all__ = ["cxr_screening", "phantom", "radiograph", "screening", "volume"]


@pytest.fixture(scope="session")
def radiograph() -> Radiograph:
    """A picture of 300 x 240 pixels that grows brighter to the patient's left."""
    pixels = np.tile(np.linspace(0.0, 1.0, 300, dtype=np.float32), (240, 1))
    notes = ("The file states no pixel spacing; 1 mm was taken.",)
    return Radiograph(pixels, (1.0, 1.0), (0, 0, 300, 240), "chest", Path("chest.png"), "ab" * 32, notes=notes)


@pytest.fixture(scope="session")
def cxr_screening(radiograph) -> CxrScreening:
    """COVID-19 in the patient's left lung, whose box is the smaller and the lower one; hot where the lesion lies."""
    gradcam = np.zeros(radiograph.pixels.shape, np.float32)
    gradcam[140:180, 200:240] = 1.0
    superpixels = np.zeros(radiograph.pixels.shape, np.int32)
    superpixels[20:220, 30:150], superpixels[20:220, 150:250] = 1, 2
    attention = np.full((128, 64), 0.25, np.float32)
    attention[96:] = 0.75
    shares = {"covid19": 0.8, "healthy": 0.05, "cap": 0.15}
    boxes = {"left": (170.0, 80.0, 80.0, 120.0), "right": (30.0, 20.0, 100.0, 200.0)}
    case = Case(
        case_id=radiograph.case_id,
        modality="CXR",
        image=radiograph.image_info(),
        verdict=Verdict("covid19", "softmax", shares, shares),
        models={"cxr_discrimination": ModelInfo(2, "9f" * 32)},
        timings_s={"discrimination": 0.25, "total": 0.5},
        cxr=Cxr(placed(boxes), shares, {"left": 0.9, "right": 0.2}, "left"),
        notes=radiograph.notes,
    )
    return CxrScreening(case, gradcam, {"left": attention, "right": attention[::-1]}, superpixels)

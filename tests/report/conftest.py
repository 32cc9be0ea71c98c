"""The screenings of a phantom and of a radiograph, for the pages that all methods share."""

from tests.ct.report.conftest import phantom, screening, volume
from tests.cxr.report.conftest import cxr_screening, radiograph

__all__ = ["cxr_screening", "phantom", "radiograph", "screening", "volume"]

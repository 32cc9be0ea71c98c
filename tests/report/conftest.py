"""The screening of a phantom, for the pages that all methods share."""

from tests.ct.report.conftest import phantom, screening, volume

__all__ = ["phantom", "screening", "volume"]

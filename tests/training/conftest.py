"""The toy cases of the CT method, on which the loop that all methods share is tried."""

from tests.ct.learning.conftest import toy_cases

__all__ = ["toy_cases"]

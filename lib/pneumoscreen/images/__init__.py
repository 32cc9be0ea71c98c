"""Files to ``Volume``, or a typed error that says what is wrong and what to do."""

from .inputs import Input, Refused, find_inputs
from .reader import read_input, read_volume
from .volume import Volume

__all__ = ["Input", "Refused", "Volume", "find_inputs", "read_input", "read_volume"]

"""Files to ``Volume`` or ``Radiograph``, or a typed error that says what is wrong and what to do."""

from .inputs import Input, Refused, find_inputs
from .radiograph import Radiograph
from .radiograph_reader import read_radiograph, read_radiograph_file
from .reader import read_input, read_volume
from .volume import Volume

__all__ = [
    "Input",
    "Radiograph",
    "Refused",
    "Volume",
    "find_inputs",
    "read_input",
    "read_radiograph",
    "read_radiograph_file",
    "read_volume",
]

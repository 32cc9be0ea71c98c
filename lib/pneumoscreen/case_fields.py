"""Reading the fields of a case document: every error names the path of its field.

Standard library only and Python 3.9 syntax, like all modules that also run inside Slicer.
"""

import math
import sys
from dataclasses import fields
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple, Type

from .errors import CaseError

SCHEMA = "pneumoscreen.case/2"
SCHEMA_1 = "pneumoscreen.case/1"
"""The first version: read for ever, written no more."""

SUM_TOLERANCE = 0.01
"""How far probabilities that exclude each other may sum up beside 1; ours: documents may hold them rounded."""

Vector = Tuple[float, ...]

_LARGEST = sys.float_info.max


class FieldReader:
    """Reads fields of one JSON object; every error names the path of the field."""

    def __init__(self, value: Any, path: str) -> None:
        if not isinstance(value, dict) or not all(map(is_text, value)):
            raise CaseError(f"{path or 'the case document'} must be a JSON object")
        self.value: Dict[str, Any] = value
        self.path = path

    def at(self, name: str) -> str:
        """Path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def known(self, names: Iterable[str]) -> None:
        """Refuse every field but these."""
        unknown = sorted(set(self.value) - set(names))
        if unknown:
            raise CaseError(f"field {self.at(unknown[0])} is not part of {SCHEMA}")

    def optional(self, name: str) -> bool:
        """Whether a field is there and not null."""
        return self.value.get(name) is not None

    def require(self, name: str) -> Any:
        """A field that must be there."""
        if name not in self.value:
            raise CaseError(f"field {self.at(name)} is missing")
        return self.value[name]

    def text(self, name: str, allowed: Optional[Sequence[str]] = None) -> str:
        """A text, one of ``allowed`` where that is given."""
        value = self.require(name)
        if not is_text(value) or not value:
            raise CaseError(f"field {self.at(name)} must be a non-empty text")
        if allowed is not None and value not in allowed:
            raise CaseError(f"field {self.at(name)} must be one of {', '.join(allowed)}, not {value!r}")
        return str(value)

    def text_or_none(self, name: str, allowed: Optional[Sequence[str]] = None) -> Optional[str]:
        """A text; None where it is missing or null."""
        return self.text(name, allowed) if self.optional(name) else None

    def number(self, name: str, low: float = -math.inf, high: float = math.inf) -> float:
        """A finite number between two bounds."""
        return number(self.require(name), self.at(name), low, high)

    def number_or_none(self, name: str, low: float = -math.inf, high: float = math.inf) -> Optional[float]:
        """A number; None where it is missing or null."""
        return self.number(name, low, high) if self.optional(name) else None

    def integer(self, name: str, low: int = 0) -> int:
        """A whole number."""
        return integer(self.require(name), self.at(name), low)

    def truth(self, name: str) -> bool:
        """True or false."""
        value = self.require(name)
        if not isinstance(value, bool):
            raise CaseError(f"field {self.at(name)} must be true or false")
        return value

    def vector(self, name: str, lengths: Sequence[int], low: float = -math.inf) -> Vector:
        """Numbers, as many as one of ``lengths``."""
        items = self.items(name)
        if len(items) not in lengths:
            raise CaseError(f"field {self.at(name)} must hold {' or '.join(map(str, lengths))} numbers")
        return tuple(number(item, f"{self.at(name)}[{i}]", low) for i, item in enumerate(items))

    def items(self, name: str) -> List[Any]:
        """A list."""
        value = self.require(name)
        if not isinstance(value, list):
            raise CaseError(f"field {self.at(name)} must be a list")
        return value

    def child(self, name: str) -> "FieldReader":
        """An object."""
        return FieldReader(self.require(name), self.at(name))

    def numbers(self, name: str, allowed: Optional[Sequence[str]], low: float, high: float) -> Dict[str, float]:
        """An object of numbers, its names of ``allowed`` where that is given."""
        child = self.child(name)
        if allowed is not None:
            child.known(allowed)
        return {key: child.number(key, low, high) for key in child.value}

    def shares(self, name: str, labels: Sequence[str]) -> Dict[str, float]:
        """Probabilities of labels that exclude each other: none above 1 together, and 1 where all are named."""
        found = self.numbers(name, labels, 0.0, 1.0)
        if not may_be_shares(found, labels):
            raise CaseError(f"field {self.at(name)} must sum to 1, not to {math.fsum(found.values()):.3g}")
        return found


def may_be_shares(values: Dict[str, float], labels: Sequence[str]) -> bool:
    """Whether numbers can be the probabilities of labels that exclude each other."""
    total = math.fsum(values.values())
    is_whole = all(label in values for label in labels)
    return total <= 1.0 + SUM_TOLERANCE and not (is_whole and total < 1.0 - SUM_TOLERANCE)


def is_text(value: Any) -> bool:
    """Whether it is a text that can be written to a file: JSON may escape half a surrogate pair."""
    if not isinstance(value, str):
        return False
    # Nearly all are plain, and a case of 200 regions has thousands of texts.
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


def number(value: Any, path: str, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number between two bounds."""
    # The comparison, unlike math.isfinite, also takes whole numbers beyond the range of a float.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _LARGEST:
        raise CaseError(f"field {path} must be a finite number")
    if not low <= value <= high:
        raise CaseError(f"field {path} must lie between {low:g} and {high:g}, not {value:g}")
    return float(value)


def integer(value: Any, path: str, low: int = 0) -> int:
    """A whole number from ``low`` on."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise CaseError(f"field {path} must be a whole number")
    if value < low:
        raise CaseError(f"field {path} must be at least {low}, not {value}")
    return value


def names_of(kind: Type[Any]) -> List[str]:
    """The fields of a dataclass."""
    return [f.name for f in fields(kind)]

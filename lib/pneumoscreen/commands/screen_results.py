"""What ``pneumoscreen screen`` says of each input: screened, refused, or passed over; to people and to programs."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..case import Case
from .terminal import complain

if TYPE_CHECKING:
    from ..images.found import Found


@dataclass(frozen=True)
class Screened:
    """A case whose document and report lie in ``out``."""

    case: Case
    out: Path

    def line(self) -> str:
        """``<case_id> <verdict> <confidence> <seconds>``."""
        from ..report import summary_line

        return summary_line(self.case)

    def to_dict(self) -> dict[str, Any]:
        """The case's entry in the JSON array."""
        verdict = self.case.verdict
        return {
            "case_id": self.case.case_id,
            "source": self.case.image.source,
            "verdict": verdict.label if verdict else None,
            "confidence": verdict.exported if verdict else None,
            "decided": verdict.decided if verdict else None,
            "infection": verdict.infection.probability if verdict and verdict.infection else None,
            "seconds": self.case.timings_s["total"],
            "document": str(self.out / f"{self.case.case_id}.json"),
            "report": str(self.out / f"{self.case.case_id}.html"),
        }


@dataclass(frozen=True)
class Refusal:
    """An input that could not be screened, and the line that says why; ``name`` is what results call the input."""

    name: str
    error: str
    is_fault: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The input's entry in the JSON array."""
        return {"input": self.name, "error": self.error}


@dataclass(frozen=True)
class LeftOut:
    """A path that was no case; ``reason`` is the whole sentence."""

    name: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """The path's entry in the JSON array."""
        return {"passed_over": self.name, "reason": self.reason}


Result = Screened | Refusal | LeftOut


class Shown:
    """How results call paths: by themselves, or by hashes where folders may be named after patients."""

    def __init__(self, anonymous: bool) -> None:
        self._anonymous = anonymous

    def name(self, path: Path) -> str:
        """What stands for a path."""
        from ..images.case_ids import short_hash

        return short_hash(str(path)) if self._anonymous else str(path)

    def sentence(self, path: Path, sentence: str) -> str:
        """A sentence that begins with a path, with what stands for it; names in brackets are left out with it."""
        if not self._anonymous:
            return sentence
        return re.sub(r" \([^)]*\)", "", sentence.replace(str(path), self.name(path)))


def left_out(found: Iterable["Found"], shown: Shown) -> list[LeftOut]:
    """What is no case, each path by itself; standard error has a line for those of a folder that are so alike."""
    from ..images.found import PassedOver, folded

    items = [item for item in found if isinstance(item, PassedOver)]
    for path, sentence in folded(items):
        complain(f"{path}: note: passed over: {sentence}")
    return [LeftOut(shown.name(item.path), shown.sentence(item.path, f"{item.path} {item.reason}")) for item in items]

"""Which study is screened first: a site's rules on what headers say; of a study only the place of its rule is kept."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import translate

from pydicom.dataset import Dataset

from ..errors import ConfigError

KEYWORDS = (
    "RequestedProcedurePriority", "ReasonForTheRequestedProcedure", "RequestedProcedureDescription",
    "RequestingService", "StudyDescription", "SeriesDescription", "ProtocolName", "InstitutionalDepartmentName",
    "StationName", "CurrentPatientLocation", "Modality",
)  # fmt: skip
"""Fields that a rule may ask for. None of them is meant to name a patient."""
_LONGEST = 256


@dataclass(frozen=True)
class Rule:
    """A field and what its value looks like, whatever the letters' case."""

    keyword: str
    pattern: str

    def fits(self, header: Dataset) -> bool:
        """Whether a header, or the request that it names, holds such a value."""
        matches = re.compile(translate(self.pattern), re.IGNORECASE).match
        return any(matches(value) for value in _values(header, self.keyword))


def rules_of(texts: Sequence[str]) -> tuple[Rule, ...]:
    """The rules of ``--first KEYWORD=PATTERN``, the highest first.

    Raises:
        ConfigError: if one is none.
    """
    found = []
    for text in texts:
        keyword, sign, pattern = text.partition("=")
        if not sign or not pattern.strip():
            raise ConfigError(f"--first {text}: is no rule; write a field and a pattern, as in StudyDescription=*stat*")
        if keyword not in KEYWORDS:
            raise ConfigError(f"--first {text}: {keyword} is no field that a rule asks for; use {', '.join(KEYWORDS)}")
        found.append(Rule(keyword, pattern.strip()))
    return tuple(found)


def priority_of(header: Dataset, rules: Sequence[Rule]) -> int:
    """How early a study comes: the number of rules for the first rule, 1 for the last, 0 where none fits."""
    return next((len(rules) - place for place, rule in enumerate(rules) if rule.fits(header)), 0)


def _values(header: Dataset, keyword: str) -> list[str]:
    found: list[str] = []
    try:
        for item in (header, *header.get("RequestAttributesSequence", ())):
            value = item.get(keyword)
            parts = [value] if isinstance(value, str) else list(value or ())
            found += [str(part).strip()[:_LONGEST] for part in parts]
    except Exception:
        pass  # pydicom raises whatever a value that is none happens to break
    return found

"""The server's worklist as rows of a table: searched, filtered by state, sorted, in plain words."""

from dataclasses import dataclass
from typing import Any, Iterable, List, Mapping, Optional, Sequence, Tuple

from ..client.sentences import in_words
from ..contract import DEFAULT_CLASSES
from ..translation import _
from ..wording import SHORT, TYPE_UNDECIDED, display_name, percent, short_name

_STATES = {"new": _("New"), "screened": _("Screened"), "in_progress": _("In progress"), "done": _("Done")}
STATES = ("", *_STATES.values())
"""What the list can be narrowed to; the first is everything."""

FAILED = _("Failed")
"""The verdict of a case that could not be screened."""

FINDINGS = (TYPE_UNDECIDED, FAILED, *SHORT.values(), *map(display_name, DEFAULT_CLASSES.infections))
"""What may stand in the column of the verdict."""

COLUMNS = ("id", "state", "verdict", "uncertainty", "priority", "acquired", "age", "patient")
OF_MODEL = ("verdict", "confidence", "uncertainty", "decided", "infection", "priority")
"""What a case's entry tells of the model's opinion."""
KNOWN_TO_SOME = COLUMNS[4:]
"""What the server does not know of every case, and of none where it is an older one."""


@dataclass(frozen=True)
class Row:
    """A case of the worklist.

    Attributes:
        case_id: name of the case.
        state: in plain words, one of ``STATES``.
        verdict: label of the last screening; None before one.
        confidence: of the verdict.
        uncertainty: 0 to 1; None before it was scored.
        reader: who reads it now; empty for nobody.
        error: why it could not be screened; empty where it could.
        decided: False where there is an infection whose type cannot be told; None where the server does not say.
        infection: probability of an infection of any type; None where it is not known.
        priority: 1 is to be read first; None for a case that does not wait or of which nothing is known.
        acquired: day on which the image was taken, as the server writes it, so that it sorts as text.
        age: of the patient then, in years.
        patient: a hash that is the same for all images of a patient.
    """

    case_id: str
    state: str
    verdict: Optional[str] = None
    confidence: Optional[float] = None
    uncertainty: Optional[float] = None
    reader: str = ""
    error: str = ""
    decided: Optional[bool] = None
    infection: Optional[float] = None
    priority: Optional[int] = None
    acquired: Optional[str] = None
    age: Optional[int] = None
    patient: Optional[str] = None

    @property
    def finding(self) -> str:
        """What the last screening found; empty before one."""
        if self.decided is False:
            return TYPE_UNDECIDED
        return short_name(self.verdict) if self.verdict else ""

    @property
    def texts(self) -> Tuple[str, ...]:
        """Its cells, in the order of ``COLUMNS``."""
        verdict = FAILED if self.error else self.finding or "–"
        unsure = "–" if self.uncertainty is None else f"{self.uncertainty:.2f}"
        more = (getattr(self, column) for column in KNOWN_TO_SOME)
        return (self.case_id, self.state, verdict, unsure, *("–" if value is None else str(value) for value in more))

    @property
    def in_full(self) -> str:
        """Its name, which a narrow column cuts, and what may not fit into the cells."""
        return f"{self.case_id}: {self.explanation}" if self.explanation else self.case_id

    @property
    def explanation(self) -> str:
        """What may not fit into the cells: who reads it, infection and confidence, whose it is, why it failed."""
        parts = [_("with {reader}").format(reader=self.reader)] if self.reader else []
        if self.verdict and self.infection is not None:
            parts.append(_("infection {probability}").format(probability=percent(self.infection)))
        if self.verdict and self.confidence is not None and self.decided is not False:
            parts.append(_("confidence {probability}").format(probability=percent(self.confidence)))
        if self.priority is not None:
            parts.append(_("priority {place}").format(place=self.priority))
        if self.acquired:
            parts.append(_("taken on {day}").format(day=self.acquired))
        if self.age is not None:
            parts.append(_("age {years}").format(years=self.age))
        if self.patient:
            parts.append(_("patient {hash}").format(hash=self.patient))
        if self.error:
            parts.append(self.error)
        return ", ".join(parts)


def rows_of(cases: Iterable[Mapping[str, Any]], is_blind: bool = False) -> List[Row]:
    """The rows of ``Server.worklist``.

    Args:
        cases: of the server.
        is_blind: whether what a model says of them is left out, as in a reader study.
    """
    hidden = dict.fromkeys(OF_MODEL) if is_blind else {}
    return [
        Row(
            case_id=str(case["id"]),
            state=_STATES.get(str(case.get("state")), str(case.get("state") or "")),
            verdict=case.get("verdict"),
            confidence=case.get("confidence"),
            uncertainty=case.get("uncertainty"),
            reader=str((case.get("lease") or {}).get("reader") or ""),
            error=in_words(case.get("error") or ""),
            decided=case.get("decided"),
            infection=case.get("infection"),
            **{column: case.get(column) for column in KNOWN_TO_SOME},
        )
        for case in ({**each, **hidden} for each in cases)
    ]


def arranged(
    rows: Sequence[Row], search: str = "", state: str = "", column: str = "id", descending: bool = False
) -> List[Row]:
    """The rows that fit, sorted; rows without a value in the column come last either way.

    Args:
        rows: all of them.
        search: words that must all stand in id, state, verdict, reader, day or patient; case does not matter.
        state: one of ``STATES``.
        column: one of ``COLUMNS``.
        descending: the largest first.
    """
    words = search.casefold().split()
    found = [row for row in rows if state in ("", row.state) and _holds(row, words)]
    found.sort(key=lambda row: _natural(row.case_id))
    known = [row for row in found if _key(row, column) is not None]
    known.sort(key=lambda row: _key(row, column), reverse=descending)
    return [*known, *(row for row in found if _key(row, column) is None)]


def counts_in_words(rows: Sequence[Row], shown: Sequence[Row]) -> str:
    """How many cases there are, how many are done, and how many are shown where it is not all of them."""
    if not rows:
        return _("No cases.")
    done = sum(row.state == _STATES["done"] for row in rows)
    text = (
        _("{count} cases, {done} done").format(count=len(rows), done=done)
        if len(rows) != 1
        else _("1 case, {done} done").format(done=done)
    )
    return text if len(shown) == len(rows) else _("{shown} of {text}").format(shown=len(shown), text=text)


def _holds(row: Row, words: Sequence[str]) -> bool:
    more = (row.verdict, row.reader, row.acquired, row.patient)
    text = " ".join((*row.texts[:3], *(value or "" for value in more))).casefold()
    return all(word in text for word in words)


def _key(row: Row, column: str) -> Any:
    if column == "id":
        return _natural(row.case_id)
    if column == "state":
        # In the order of the work, not of the alphabet.
        return STATES.index(row.state) if row.state in STATES else len(STATES)
    if column == "verdict":
        return row.finding or None
    return getattr(row, column)


def unknown_columns(rows: Sequence[Row]) -> List[int]:
    """The columns, by their place, of which no case has a value: they need not be shown."""
    names = [column for column in KNOWN_TO_SOME if all(getattr(row, column) is None for row in rows)]
    return [COLUMNS.index(column) for column in names]


def _natural(text: str) -> List[Tuple[int, int, str]]:
    """A key that sorts ``ct-9`` before ``ct-10``."""
    parts: List[Tuple[int, int, str]] = []
    letters = ""
    digits = ""
    for character in f"{text.casefold()}\0":
        if character.isascii() and character.isdigit():
            if letters:
                parts.append((1, 0, letters))
                letters = ""
            digits += character
        else:
            if digits:
                parts.append((0, int(digits) if len(digits) < 1000 else 0, digits))
                digits = ""
            letters += character
    return [*parts, (1, 0, letters)]

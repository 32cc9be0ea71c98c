"""A reading as plain JSON values, ``pneumoscreen.draft/1``: what a local draft and the scene keep of it.

Unlike a case document it may hold boxes that the reader has drawn but not named yet.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Dict, List, Mapping, Optional, Tuple

from ..contract import SCHEMA as CASE_SCHEMA
from ..contract import Case, CaseError, Classes, Region

SCHEMA = "pneumoscreen.draft/1"

Written = Dict[int, Tuple[Region, Dict[str, Any]]]
"""Regions by identity, with their JSON values."""


@dataclass(frozen=True)
class Draft:
    """What a draft holds.

    Attributes:
        case: the case as the reader left it.
        opened: what the work began with.
        saved: what the server has of it.
        base: annotation version that the work builds on.
        reader: who did it.
        classes: of the site.
        selected: id of the region that the reader looked at.
    """

    case: Case
    opened: Case
    saved: Case
    base: int
    reader: str
    classes: Classes
    selected: Optional[str] = None

    def to_dict(self, written: Optional[Written] = None) -> Dict[str, Any]:
        """Plain JSON values; a case that equals the opened one is not written twice.

        Args:
            written: regions that an earlier draft of this work wrote already: one correction changes one of hundreds.
        """
        written = {} if written is None else written
        return {
            "schema": SCHEMA,
            "case_id": self.case.case_id,
            "base": self.base,
            "reader": self.reader,
            "classes": {**asdict(self.classes), "infections": list(self.classes.infections)},
            "selected": self.selected,
            "opened": _to_dict(self.opened, written),
            "saved": None if self.saved == self.opened else _to_dict(self.saved, written),
            "case": _to_dict(self.case, written),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Draft":
        """A draft from plain JSON values.

        Raises:
            CaseError: if it is none or damaged.
        """
        try:
            if values["schema"] != SCHEMA:
                raise CaseError(f"the draft's field schema is {values['schema']!r}; this version reads {SCHEMA}")
            names = values["classes"]
            classes = Classes(tuple(names["infections"]), names["irrelevant"], names["none_found"])
            base, reader, selected = values["base"], values["reader"], values.get("selected")
            if not isinstance(base, int) or not isinstance(reader, str) or not reader:
                raise CaseError("the draft's fields base and reader must be a whole number and a name")
            opened = _from_dict(values["opened"], classes)
            saved = opened if values["saved"] is None else _from_dict(values["saved"], classes)
            return cls(_from_dict(values["case"], classes), opened, saved, base, reader, classes, selected)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise CaseError(f"the draft is damaged ({type(error).__name__}: {error})") from None


def parse_region(values: Mapping[str, Any], classes: Classes) -> Region:
    """One region of a server's answer; a reader's box need not have a reader's mark yet.

    Raises:
        CaseError: if it breaks the contract.
    """
    image = {"size": [1, 1, 1], "spacing_mm": [1.0, 1.0, 1.0], "sha256": "unread"}
    around = {"schema": CASE_SCHEMA, "case_id": "region", "modality": "CT", "image": image, "regions": [values]}
    return _from_dict(around, classes).regions[0]


def _to_dict(case: Case, written: Written) -> Dict[str, Any]:
    bare = replace(case, regions=())
    document = bare.to_dict()
    if case.modality == "CT":
        for region in case.regions:
            known = written.get(id(region))
            if known is None or known[0] is not region:
                written[id(region)] = region, replace(bare, regions=(region,)).to_dict()["regions"][0]
        document["regions"] = [written[id(region)][1] for region in case.regions]
    return document


def _from_dict(document: Any, classes: Classes) -> Case:
    """A case whose readers' boxes may be unnamed, which the contract refuses in a document."""
    unnamed: List[str] = []
    if isinstance(document, Mapping):
        regions = []
        for region in document.get("regions") or ():
            if isinstance(region, Mapping) and region.get("source") == "reader" and region.get("reader") is None:
                unnamed.append(str(region.get("id")))
                region = {**region, "source": "model"}
            regions.append(region)
        document = {**document, **({"regions": regions} if "regions" in document else {})}
    case = Case.from_dict(document, classes)
    named = tuple(replace(r, source="reader") if r.id in unnamed else r for r in case.regions)
    return replace(case, regions=named)

"""Results and cards without what tells whose they are: hashes in place of ids, no dates, no places, no free text.

The hashes have the key of the folder (``studies.keyed_names``), so that who holds the folder can find a case again and
nobody else can. Ours: a field that may hold any text is left out or hashed; what stays is numbers and names that the
program itself gave. Pixels are not looked at.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..case import Case, Cxr, ModelInfo, ReaderMark, Region
from ..pacs.uids import uid_of
from ..regions import SIDES
from ..studies.keyed_names import keyed
from ..verdict import Verdict
from ..xray_findings import ZONES
from .found import Result

NOT_TOLD = "not told"
_DIGEST = 64
_SHA256 = re.compile("[0-9a-f]{64}")
_KEPT_OF_A_CARD = ("name", "version", "sha256", "network", "seed", "licence", "attribution")
"""``licence`` and ``attribution`` are what the weights may not be passed on without."""


@dataclass(frozen=True)
class Names:
    """What stands for ids in an export.

    Attributes:
        key: of the folder.
        is_anonymous: whether everything is hashed; patients always are.
        networks: names of networks that the program gave.
    """

    key: bytes
    is_anonymous: bool = False
    networks: Collection[str] = ()

    def patient(self, name: str) -> str:
        """What a patient is called, in an anonymous export and in any other."""
        return keyed(self.key, name)

    def case(self, case_id: str) -> str:
        """What a case is called."""
        return f"case-{self._hash('case', case_id)}" if self.is_anonymous else case_id

    def reader(self, name: str) -> str:
        """What a reader is called."""
        return f"reader-{self._hash('reader', name)}" if self.is_anonymous else name

    def result(self, result: Result) -> Result:
        """A result under these names."""
        patient = self.patient(result.patient)
        if not self.is_anonymous:
            return replace(result, patient=patient)
        reader = None if result.reader is None else self.reader(result.reader)
        return replace(result, case=self.document(result.case), patient=patient, reader=reader, written=None)

    def document(self, case: Case) -> Case:
        """A document under these names."""
        if not self.is_anonymous:
            return case
        image = replace(
            case.image,
            sha256=self._hash("image", case.image.sha256, _DIGEST),
            series_uid=self._uid(case.image.series_uid),
            study_uid=self._uid(case.image.study_uid),
            source=None,
        )
        return replace(
            case,
            case_id=self.case(case.case_id),
            image=image,
            regions=tuple(self._region(region, place) for place, region in enumerate(case.regions, start=1)),
            verdict=_verdict(case.verdict),
            models={name: _weights(info) for name, info in case.models.items() if name in self.networks},
            timings_s={},
            cxr=None if case.cxr is None else self._findings(case.cxr),
            notes=(),
        )

    def _region(self, region: Region, place: int) -> Region:
        mark = region.reader
        if mark is not None:
            mark = ReaderMark(mark.label, self.reader(mark.name), "", mark.confidence)
        return replace(region, id=f"r{place}", reader=mark)

    def _findings(self, cxr: Cxr) -> Cxr:
        reader = None
        if cxr.reader is not None:
            reader = {name: cxr.reader[name] for name in ("label", "location") if cxr.reader.get(name)}
            reader["name"] = self.reader(str(cxr.reader.get("name", "")))
        zones = {f"{side}_{zone}" for side in SIDES for zone in ZONES}
        severity = None if cxr.severity is None else {name: n for name, n in cxr.severity.items() if name in zones}
        return replace(cxr, reader=reader, severity=severity)

    def _uid(self, uid: str | None) -> str | None:
        return None if uid is None else uid_of(self._hash("uid", uid, _DIGEST))

    def _hash(self, kind: str, text: str, digits: int = 12) -> str:
        return keyed(self.key, f"{kind}\n{text}", digits)


def _weights(info: ModelInfo) -> ModelInfo:
    return info if _SHA256.fullmatch(info.sha256) else replace(info, sha256="")


def _verdict(verdict: Verdict | None) -> Verdict | None:
    if verdict is None or verdict.infection is None:
        return verdict
    return replace(verdict, infection=replace(verdict.infection, calibrated_on=NOT_TOLD))


def anonymous_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """The card of a network without where and on what it was trained."""
    return {name: _without_calibration(card[name]) for name in _KEPT_OF_A_CARD if name in card}


def _without_calibration(value: Any) -> Any:
    """Settings without what they were calibrated on, which may name a folder."""
    if isinstance(value, dict):
        return {name: NOT_TOLD if name == "calibrated_on" else _without_calibration(of) for name, of in value.items()}
    return value

"""Parts of FHIR resources: concepts, quantities, identifiers; and the check of a whole one."""

from typing import Any

from ..errors import PneumoScreenError
from ..pacs import codes
from ..pacs.uids import uid_of

Resource = dict[str, Any]

_DECIMALS = 4
_LONGEST = 300


def identifier_system(kind: str) -> str:
    """The system of this project's own identifiers of a kind: no address, since nobody answers there."""
    return f"urn:oid:{uid_of('identifier', kind)}"


_SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "LN": "http://loinc.org",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    codes.SCHEME: f"urn:oid:{uid_of('codes', codes.SCHEME)}",
}
_OWN_WORDS = ("DCM", codes.SCHEME)
"""DICOM's names of other systems' codes are not theirs, as ``display`` would say."""
_UCUM = "http://unitsofmeasure.org"
_UNITS = {"ml": "mL"}
"""UCUM knows both; FHIR's tools expect the capital letter."""


def coded(code: codes.Code) -> Resource:
    """A code as a concept."""
    coding = {"system": _SYSTEMS[code.scheme_designator], "code": code.value}
    if code.scheme_designator in _OWN_WORDS:
        coding["display"] = code.meaning
    return {"coding": [coding], "text": code.meaning}


def quantity(value: float, unit: codes.Code) -> Resource:
    """A number with its unit."""
    name = _UNITS.get(unit.value, unit.value)
    return {"value": round(float(value), _DECIMALS), "unit": name, "system": _UCUM, "code": name}


def share(value: float) -> Resource:
    """A share in [0, 1] as a percentage."""
    return quantity(100.0 * value, codes.PERCENT)


def component(code: codes.Code, **value: Any) -> Resource:
    """A part of an observation."""
    return {"code": coded(code), **value}


def can_check() -> bool:
    """Whether the package is there that knows FHIR (the optional extra ``fhir``)."""
    try:
        import fhir.resources  # noqa: F401
    except ImportError:
        return False
    return True


def check(bundle: Resource) -> None:
    """Hold a bundle to the definitions of FHIR R4B, which for these resources are those of R4.

    Raises:
        PneumoScreenError: if it does not keep to them.
    """
    from fhir.resources.R4B.bundle import Bundle
    from pydantic import ValidationError

    try:
        Bundle.model_validate(bundle)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise PneumoScreenError(f"it is no valid FHIR (field {field}: {first['msg'][:_LONGEST]})") from None

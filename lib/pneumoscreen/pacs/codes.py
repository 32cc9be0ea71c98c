"""The codes in the objects that go to a PACS and in FHIR: SNOMED CT's and DICOM's, else private ones, marked so.

A private code has the scheme ``99PNEUMOSCREEN``; DICOM keeps schemes that begin with 99 for private use.
"""

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import CodedConcept
from pydicom.sr.coding import Code

from ..report.wording import display_name

SCHEME = "99PNEUMOSCREEN"
_LONGEST_VALUE, _LONGEST_MEANING = 16, 64

LUNG = Code("39607008", "SCT", "Lung")
SIDES = {"left": Code("7771000", "SCT", "Left"), "right": Code("24028007", "SCT", "Right")}
LUNG_OF_SIDE = {
    "left": Code("44029006", "SCT", "Left lung structure"),
    "right": Code("3341006", "SCT", "Right lung structure"),
}
THORAX = Code("51185008", "SCT", "Thoracic structure")
ANATOMY = Code("123037004", "SCT", "Anatomical Structure")
ABNORMAL = Code("49755003", "SCT", "Morphologically Abnormal Structure")
OPACITY = Code("112001", "DCM", "Opacity")
YES, NO = Code("373066001", "SCT", "Yes"), Code("373067005", "SCT", "No")
ARTIFICIAL_INTELLIGENCE = Code("123109", "DCM", "Artificial Intelligence")
PERSON, DEVICE = Code("121006", "DCM", "Person"), Code("121007", "DCM", "Device")
COMMENT = Code("121106", "DCM", "Comment")
CERTAINTY = Code("111012", "DCM", "Certainty of Finding")
VOLUME = Code("118565006", "SCT", "Volume")
IMAGING_REPORT = Code("126000", "DCM", "Imaging Measurement Report")
DIAGNOSTIC_REPORT = Code("18748-4", "LN", "Diagnostic imaging report")
PROCEDURES = {
    "CT": Code("169069000", "SCT", "CT of chest"),
    "CXR": Code("399208008", "SCT", "Plain chest X-ray"),
}
MODALITIES = {"CT": Code("CT", "DCM", "Computed Tomography"), "CXR": Code("DX", "DCM", "Digital Radiography")}
MILLILITRE = Code("ml", "UCUM", "milliliter")
AREA = Code("42798000", "SCT", "Area")
SQUARE_MILLIMETRE = Code("mm2", "UCUM", "square millimeter")
MILLIMETRE = Code("mm", "UCUM", "millimeter")
PERCENT = Code("%", "UCUM", "Percent")
LABELS = {
    "covid19": Code("840539006", "SCT", "COVID-19"),
    "influenza_a": Code("442438000", "SCT", "Influenza due to Influenza A virus"),
    "cap": Code("385093006", "SCT", "Community acquired pneumonia"),
}
"""SNOMED CT's codes of diseases; a label without one here has a private code."""


def private(value: str, meaning: str) -> Code:
    """A code of this project's own."""
    return Code(value[:_LONGEST_VALUE], SCHEME, meaning[:_LONGEST_MEANING])


VERDICT = private("verdict", "Verdict of the screening")
NO_OPACITY = private("no-opacity", "No opacity found")
UNDECIDED = private("undecided", "Infection or opacity found, type undecided")
DECIDED = private("decided", "The type is decided")
INFECTION_PROBABILITY = private("p-infection", "Probability of an infection of any type")
OPACITY_PROBABILITY = private("p-opacity", "Probability of an opacity in the lung")
OPAQUE_SHARE = private("opaque-share", "Share of the lung that is opaque")
AFFECTED_SHARE = private("affected-share", "Share of the lung that is affected")
INFECTED_VOLUME = private("infected-volume", "Infected volume inside the region")
CANDIDATE_SCORE = private("score", "Score of the candidate region")
EXTENTS = tuple(private(f"extent-{axis}", f"Extent of the region's box along {axis}") for axis in "xyz")
TYPE_PROBABILITIES = private("p-types", "Probability of each type")
REGION = private("region", "Candidate region")
LOCATION = private("location", "Affected side")
JUDGED_BY = private("judged-by", "Who the label is from")
ALGORITHM, READER = private("algorithm", "Algorithm"), private("reader", "Reader")


def label(name: str) -> Code:
    """The code of a label of the class list."""
    return LABELS.get(name) or private(name, display_name(name))


def probability_of(name: str) -> Code:
    """The concept "probability of this type" as a measurement's name."""
    return private(f"p-{name}", f"Probability of {display_name(name)}")


def concept(code: Code) -> CodedConcept:
    """A code as highdicom writes it."""
    return CodedConcept.from_code(code)


def scheme() -> CodingSchemeIdentificationItem:
    """What the private scheme is, for the objects that use it."""
    return CodingSchemeIdentificationItem(
        designator=SCHEME, name="PneumoScreen", responsible_organization="PneumoScreen, research use only"
    )

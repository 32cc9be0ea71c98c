"""The sheet of a case as DICOM objects: Encapsulated PDF and Secondary Capture."""

from highdicom.base import SOPClass
from highdicom.enum import CoordinateSystemNames
from highdicom.sc import ConversionTypeValues, SCImage
from pydicom.dataset import Dataset

from .. import RESEARCH_USE_ONLY
from ..report.drawing import Drawing
from ..report.sheet import overview, pdf
from . import codes
from .about import About, finish

_ENCAPSULATED_PDF = "1.2.840.10008.5.1.4.1.1.104.1"


def encapsulated_pdf(about: About) -> Dataset:
    """The pages of a case as an Encapsulated PDF object."""
    content = pdf(about.case, _drawing(about), about.classes, about.source.study_uid)
    document = SOPClass(sop_class_uid=_ENCAPSULATED_PDF, modality="DOC", **about.study, **about.series("PDF"))
    document.ConversionType = "WSD"
    document.BurnedInAnnotation = "YES"
    document.AcquisitionDateTime = None
    document.DocumentTitle = f"PneumoScreen. {RESEARCH_USE_ONLY}"
    document.ConceptNameCodeSequence = [codes.concept(codes.DIAGNOSTIC_REPORT)]
    document.MIMETypeOfEncapsulatedDocument = "application/pdf"
    document.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    document.EncapsulatedDocumentLength = len(content)
    document.SourceInstanceSequence = [_reference(image) for image in about.source.images]
    document.copy_patient_and_study_information(about.source.first)
    finish(document, with_private_codes=False)
    return document


def secondary_capture(about: About) -> Dataset:
    """The picture of a case as a Secondary Capture image."""
    image = SCImage.from_ref_dataset(
        ref_dataset=about.source.first,
        pixel_array=overview(about.case, _drawing(about)),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system=CoordinateSystemNames.PATIENT,
        patient_orientation=_drawing(about).orientation,
        **about.series("SC"),
    )
    image.ConversionType = ConversionTypeValues.WSD.value
    image.BurnedInAnnotation = "YES"
    image.Laterality = ""
    image.ImageComments = RESEARCH_USE_ONLY
    image.SourceImageSequence = [_reference(source) for source in about.source.images]
    finish(image, with_private_codes=False)
    return image


def _drawing(about: About) -> Drawing:
    assert about.drawing is not None, "a sheet has a picture"
    return about.drawing


def _reference(image: Dataset) -> Dataset:
    reference = Dataset()
    reference.ReferencedSOPClassUID = image.SOPClassUID
    reference.ReferencedSOPInstanceUID = image.SOPInstanceUID
    return reference

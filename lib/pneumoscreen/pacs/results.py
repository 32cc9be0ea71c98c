"""All DICOM objects about a case, in the order in which they are stored: what others refer to comes first."""

from pydicom.dataset import Dataset

from .about import About
from .documents import encapsulated_pdf, secondary_capture
from .segmentation import segmentations
from .structured_report import structured_report


def results_of(about: About) -> dict[str, Dataset]:
    """The objects about a case by a short name: ``seg``, ``sr``, ``pdf``, ``sc``; further segmentations ``seg-2`` …

    An X-ray has no segmentation: its lung boxes are regions of the structured report.

    Raises:
        ResultError: if the masks do not lie on the images.
    """
    segs, places = segmentations(about)
    named = {"seg" if number == 1 else f"seg-{number}": seg for number, seg in enumerate(segs, start=1)}
    return {
        **named,
        "sr": structured_report(about, places),
        "pdf": encapsulated_pdf(about),
        "sc": secondary_capture(about),
    }

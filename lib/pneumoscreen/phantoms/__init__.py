"""Synthetic chest CTs with complete truth, for training, tests and the demo."""

from .implants import implant_either_way, implant_lesions, mirrored
from .phantom import Lesion, Phantom, PhantomSpec, generate_phantom
from .studies import truth_document, write_implants, write_studies

__all__ = [
    "Lesion",
    "Phantom",
    "PhantomSpec",
    "generate_phantom",
    "implant_either_way",
    "implant_lesions",
    "mirrored",
    "truth_document",
    "write_implants",
    "write_studies",
]

"""Synthetic chest CTs and chest X-rays with complete truth, for training, tests and the demo."""

from .implants import implant_either_way, implant_lesions, mirrored
from .lesion_kinds import Manifestation
from .phantom import Lesion, Phantom, PhantomSpec, generate_phantom
from .radiograph import RadiographPhantom, RadiographSpec, generate_radiograph
from .radiograph_studies import radiograph_document, write_radiograph_studies
from .studies import truth_document, write_implants, write_studies

__all__ = [
    "Lesion",
    "Manifestation",
    "Phantom",
    "PhantomSpec",
    "RadiographPhantom",
    "RadiographSpec",
    "generate_phantom",
    "generate_radiograph",
    "implant_either_way",
    "implant_lesions",
    "mirrored",
    "radiograph_document",
    "truth_document",
    "write_implants",
    "write_radiograph_studies",
    "write_studies",
]

"""A screening made of a phantom's own truth, a radiograph made by hand, and the page that is read back."""

from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pneumoscreen.case import Case, Cxr, LungInfo, ModelInfo, Patch, Region, placed
from pneumoscreen.cxr.screening import CxrScreening
from pneumoscreen.images.radiograph import Radiograph
from pneumoscreen.images.volume import Volume
from pneumoscreen.phantoms.phantom import Phantom, PhantomSpec, generate_phantom
from pneumoscreen.verdict import DEFAULT_CLASSES, Verdict

LABELS = DEFAULT_CLASSES.patch_labels

VOID = {"meta", "img", "br", "link", "input"}


class Page(HTMLParser):
    """Elements, texts and nesting of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.details_text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "br":
            self.text += " "
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag in ("th", "td", "dt", "dd"):
            self.text += " "

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.text += data
        if "details" in self.open:
            self.details_text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@dataclass(frozen=True)
class TrueLungs:
    """Lungs in the form of the real segmentation."""

    labels: NDArray[np.uint8]


@dataclass(frozen=True)
class TrueScreening:
    """What a faultless screening would have found."""

    case: Case
    lungs: TrueLungs
    infection: NDArray[np.bool_]

    def with_case(self, **changes) -> "TrueScreening":
        """The screening with another document."""
        return replace(self, case=replace(self.case, **changes).with_verdict())


def patch(volume: Volume, z: int, label: str, confidence: float) -> Patch:
    """A patch of a canonical slice whose other classes share the rest."""
    rest = (1.0 - confidence) / (len(LABELS) - 1)
    shares = {name: confidence if name == label else rest for name in LABELS}
    return Patch(volume.stored_slice(z), label, confidence, 0.05, shares)


def region(volume: Volume, number: int, box: NDArray[np.float64], label: str) -> Region:
    """A region whose three patches agree, the middle one the most confident."""
    center, size = volume.box_to_mm(box)
    middle = round((box[0] + box[3]) / 2)
    patches = tuple(patch(volume, middle + step, label, 0.9 if step == 0 else 0.7) for step in (-1, 0, 1))
    side = "left" if box[2] + box[5] > volume.hu.shape[2] else "right"
    return Region(f"r{number}", "model", tuple(center), tuple(size), 0.8, side, patches).with_vote()


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    return generate_phantom(1000, "covid19", PhantomSpec(matrix=160, slices=32))


@pytest.fixture(scope="session")
def volume(phantom) -> Volume:
    return phantom.volume


@pytest.fixture(scope="session")
def screening(phantom) -> TrueScreening:
    volume = phantom.volume
    case = Case(
        case_id=volume.case_id,
        modality="CT",
        image=volume.image_info(),
        lungs={"left": LungInfo(2000.0, 12.5), "right": LungInfo(3000.0, 2.5)},
        regions=tuple(region(volume, lesion.number, lesion.box, lesion.label) for lesion in phantom.lesions),
        models={"ct_candidates": ModelInfo(3, "9f" * 32)},
        timings_s={"lungs": 1.25, "total": 6.5},
        notes=("Padding of -3024 was set to -1024.",),
    ).with_verdict()
    return TrueScreening(case, TrueLungs(phantom.lungs), phantom.infection_mask)


@pytest.fixture(scope="session")
def radiograph() -> Radiograph:
    """A picture of 300 x 240 pixels that grows brighter to the patient's left."""
    pixels = np.tile(np.linspace(0.0, 1.0, 300, dtype=np.float32), (240, 1))
    notes = ("The file states no pixel spacing; 1 mm was taken.",)
    return Radiograph(pixels, (1.0, 1.0), (0, 0, 300, 240), "chest", Path("chest.png"), "ab" * 32, notes=notes)


@pytest.fixture(scope="session")
def cxr_screening(radiograph) -> CxrScreening:
    """COVID-19 in the patient's left lung, whose box is the smaller and the lower one; hot where the lesion lies."""
    gradcam = np.zeros(radiograph.pixels.shape, np.float32)
    gradcam[140:180, 200:240] = 1.0
    superpixels = np.zeros(radiograph.pixels.shape, np.int32)
    superpixels[20:220, 30:150], superpixels[20:220, 150:250] = 1, 2
    attention = np.full((128, 64), 0.25, np.float32)
    attention[96:] = 0.75
    shares = {"covid19": 0.8, "healthy": 0.05, "cap": 0.15}
    boxes = {"left": (170.0, 80.0, 80.0, 120.0), "right": (30.0, 20.0, 100.0, 200.0)}
    case = Case(
        case_id=radiograph.case_id,
        modality="CXR",
        image=radiograph.image_info(),
        verdict=Verdict("covid19", "softmax", shares, shares),
        models={"cxr_discrimination": ModelInfo(2, "9f" * 32)},
        timings_s={"discrimination": 0.25, "total": 0.5},
        cxr=Cxr(placed(boxes), shares, {"left": 0.9, "right": 0.2}, "left"),
        notes=radiograph.notes,
    )
    return CxrScreening(case, gradcam, {"left": attention, "right": attention[::-1]}, superpixels)

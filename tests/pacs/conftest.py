"""Small phantoms as a PACS would hold them, and what their screening would say."""

import datetime
import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from scripts.phantom_files import write_ct

from pneumoscreen.case import CXR_CLASSES, Case, Cxr, ImageInfo, ModelInfo, placed
from pneumoscreen.ct.phantoms.phantom import Phantom, PhantomSpec, generate_phantom
from pneumoscreen.ct.phantoms.studies import truth_document
from pneumoscreen.images import Input, find_inputs
from pneumoscreen.images.volume import Masks, Volume
from pneumoscreen.pacs.about import About
from pneumoscreen.pacs.cache import SeriesCache
from pneumoscreen.pacs.client import Pacs
from pneumoscreen.pacs.origin import PacsOrigin
from pneumoscreen.pacs.screening import Written
from pneumoscreen.pacs.source import source_of
from pneumoscreen.pacs.state import State
from pneumoscreen.pacs.watch import Pace, Watcher
from pneumoscreen.report.drawing import Drawing, DrawnBox
from pneumoscreen.report.pictures import data_uri
from pneumoscreen.verdict import Infection, Verdict

from .dicomweb_server import DicomwebServer

DRAWING = Drawing(
    "From the front",
    data_uri(np.full((50, 60), 90, np.uint8), (60, 50)),
    60.0,
    50.0,
    ("L", "F"),
    (DrawnBox("r1", "type-0", 5.0, 5.0, 20.0, 20.0),),
)
MODELS = {"ct_candidates": ModelInfo(3, "a" * 64), "ct_classifier": ModelInfo(5, "b" * 64)}


def only_input(folder: Path) -> Input:
    (item,) = find_inputs([folder])
    assert isinstance(item, Input)
    return item


@pytest.fixture(scope="session")
def phantom() -> Phantom:
    return generate_phantom(3, "covid19", PhantomSpec(matrix=64, slices=20))


@pytest.fixture(scope="session")
def about_of(phantom: Phantom) -> Callable[..., About]:
    """Writes a volume with the phantom's voxels as DICOM, and gives what is to be written about it."""

    def make(folder: Path, volume: Volume | None = None, **fields: object) -> About:
        volume = volume or phantom.volume
        write_ct(volume, folder, **fields)
        case = replace(truth_document(replace(phantom, volume=volume)), models=MODELS)
        masks = Masks(volume, phantom.lungs, phantom.infection > 0)
        return About(case, source_of(only_input(folder)), DRAWING, masks)

    return make


@pytest.fixture
def about(about_of: Callable[..., About], tmp_path: Path) -> About:
    """A CT with its truth; the header has a name of two scripts."""
    return about_of(tmp_path / "ct", PatientName="Müller^Jörg=田中^太郎", PatientID="4711", AccessionNumber="A-77")


def film_case() -> Case:
    """An X-ray with two lungs, of which the left one has an opacity."""
    probabilities = dict(zip(CXR_CLASSES, (0.7, 0.1, 0.2), strict=True))
    return Case(
        case_id="film",
        modality="CXR",
        image=ImageInfo((200, 160), (0.2, 0.3), "c" * 64),
        verdict=Verdict("covid19", "softmax", probabilities, probabilities, False, Infection(0.9, "tests")),
        cxr=Cxr(
            placed({"left": (110.0, 30.0, 50.0, 90.0), "right": (40.0, 28.0, 52.0, 92.0)}),
            probabilities,
            {"left": 0.9, "right": 0.2},
            "left",
        ),
        models={"cxr_lung_boxes": ModelInfo(2, "d" * 64)},
    )


def watcher_of(
    pacs: Pacs, state: State, folder: Path, screen: Callable[..., Written], tell: Callable[[str], None], **more: Any
) -> Watcher:
    """A watcher of a PACS that stores the results there, and waits for nothing."""
    origin = PacsOrigin(pacs, SeriesCache(folder / "cache", 10**9))
    return Watcher(origin, pacs, state, folder, screen, Pace(0.01, 0.0), tell, **more)


@pytest.fixture
def server() -> Iterator[DicomwebServer]:
    started = DicomwebServer().start()
    yield started
    started.stop()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of this machine, signed by itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    encoding, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, no_password)
    file = tmp_path / "certificate.pem"
    file.write_bytes(private + made.public_bytes(encoding))
    return file

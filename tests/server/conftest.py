"""A real server process over a small studies folder, shared by all tests of the server.

The networks are of the real kind but narrow and untrained: what they find is noise, which is all that these
tests need, since the documents and label maps must be right whatever is found.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import SimpleITK as sitk
from scripts.phantom_files import write_ct, write_xray
from tests.cxr.radiographs import TINY_CLASSES, box_model, class_model, side_model

from pneumoscreen.case import CXR_CLASSES
from pneumoscreen.ct.candidates.finding import CandidateModel, CandidateSettings
from pneumoscreen.ct.candidates.network import CandidateNetworkSettings
from pneumoscreen.ct.candidates.proposals import SelectionSettings
from pneumoscreen.ct.classifier import ClassifierModel, ClassifierSettings
from pneumoscreen.ct.phantoms.phantom import PhantomSpec, generate_phantom
from pneumoscreen.cxr.networks import NETWORKS as CXR_NETWORKS
from pneumoscreen.cxr.phantoms.radiograph import generate_radiograph
from pneumoscreen.images.volume import Volume
from pneumoscreen.models.store import ModelStore
from pneumoscreen.server.client import Client

REPOSITORY = Path(__file__).resolve().parents[2]
TURNED = "PIR"
"""An orientation in which every axis is another one and two are flipped."""


@dataclass(frozen=True)
class RunningServer:
    """What the tests need to know of the server."""

    client: Client
    studies: Path
    models: Path
    log: Path
    process: "subprocess.Popen[bytes]"


@pytest.fixture(scope="session")
def phantom() -> Volume:
    """One small synthetic scan."""
    return generate_phantom(11, "covid19", PhantomSpec(matrix=128, slices=30)).volume


@pytest.fixture(scope="session")
def model_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with narrow untrained networks."""
    store = ModelStore(tmp_path_factory.mktemp("models"))
    origin = {"data": "none", "seed": 0, "command": "pytest", "figures": {}, "licence": "Apache-2.0"}
    narrow = CandidateNetworkSettings(
        channels=(8, 8, 16, 16, 16), encoder_blocks=(1, 1, 1, 1, 1), decoder_blocks=(1, 1, 1, 1), proposal_channels=16
    )
    candidates = CandidateModel.untrained(
        CandidateSettings(network=narrow, selection=SelectionSettings(score=0.0, free_score=0.0))
    )
    store.publish("ct_candidates", candidates.state(), {**origin, "network": candidates.card_network()})
    classifier = ClassifierModel.untrained(ClassifierSettings(widths=(8, 16, 16, 32)))
    store.publish("ct_classifier", classifier.state(), {**origin, "network": classifier.card_network()})
    return store.root


@pytest.fixture(scope="session")
def both_models(model_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The narrow networks for CTs, and untrained ones for X-rays that always say COVID-19."""
    root = copied_models(model_root, tmp_path_factory.mktemp("models"))
    card = {"data": "none", "seed": 0, "command": "pytest", "figures": {}, "licence": "Apache-2.0"}
    # With the mirror image the Grad-CAM of a symmetrical chest would not tell left from right.
    classes = class_model(settings=TINY_CLASSES.model_copy(update={"mirrored": False}))
    classes.network.classify.bias.data[CXR_CLASSES.index("covid19")] += 1.0
    for name, model in zip(CXR_NETWORKS, (box_model(), classes, side_model(4)), strict=True):
        ModelStore(root).publish(name, model.state(), {**card, "network": model.card_network()})
    return root


@pytest.fixture(scope="session")
def studies(tmp_path_factory: pytest.TempPathFactory, phantom: Volume) -> Path:
    """Studies folder: the phantom as it is and turned, a broken scan, no-lung noise, and junk."""
    folder = tmp_path_factory.mktemp("studies")
    image = phantom.to_sitk(phantom.hu)
    sitk.WriteImage(image, folder / "upright.nii.gz")
    sitk.WriteImage(sitk.DICOMOrient(image, TURNED), folder / "turned.nrrd")
    (folder / "broken.nii.gz").write_bytes((folder / "upright.nii.gz").read_bytes()[:5000])
    sitk.WriteImage(image * 0 + 40, folder / "flesh.nii.gz")
    (folder / "._upright.nii.gz").write_bytes(b"\x00\x05\x16\x07 resource fork")
    (folder / ".DS_Store").write_bytes(b"junk")
    (folder / ".hidden.nrrd").write_bytes(b"junk")
    (folder / "notes.txt").write_text("junk")
    (folder / "notes.json").write_text("{}")
    (folder / "empty folder").mkdir()
    return folder


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(models: Path) -> dict[str, str]:
    """Environment of a server process that uses the test's models."""
    path = os.pathsep.join(filter(None, [str(REPOSITORY / "lib"), os.environ.get("PYTHONPATH")]))
    # Without the tokens of whoever runs the tests.
    return {**os.environ, "PNEUMOSCREEN_MODELS": str(models), "PNEUMOSCREEN_TOKENS": "none", "PYTHONPATH": path}


def copied_models(models: Path, target: Path) -> Path:
    """A copy of a model store, for a test that publishes into it."""
    shutil.copytree(models, target, dirs_exist_ok=True)
    return target


def wait_for_image(client: Client, image: str) -> None:
    """Wait until an image that was copied into the folder of a running server is offered."""
    assert client.wait_until_offered([image], 600)


@contextmanager
def serving(
    studies: Path,
    models: Path,
    folders: pytest.TempPathFactory,
    *arguments: str,
    client: Callable[[str], Client] = Client,
    before: Sequence[str] = (),
    **variables: str,
) -> Iterator[RunningServer]:
    """``pneumoscreen serve`` on a free port, with more arguments and environment variables where given.

    ``client`` makes a client of the server's address, such as one with a token; ``before`` stands before the command.
    """
    log, port = folders.mktemp("log") / "server.log", free_port()
    words = ["serve", "--studies", str(studies), "--port", str(port), *arguments]
    command = [*before, sys.executable, "-m", "pneumoscreen", *words]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env={**environment(models), **variables}, stdout=output, stderr=subprocess.STDOUT
        )
    caller = client(f"http://127.0.0.1:{port}")
    try:
        caller.wait_until_ready(600, lambda: process.poll() is None)
        yield RunningServer(caller, studies, models, log, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(120)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


@pytest.fixture(scope="session")
def server(studies: Path, model_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The server that most tests share."""
    with serving(studies, model_root, tmp_path_factory) as running:
        yield running


@pytest.fixture(scope="session")
def dicom_studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Studies folder of a small scan: as series, one feet first, one without frame, and as NIfTI; and an X-ray."""
    folder = tmp_path_factory.mktemp("dicom")
    volume = generate_phantom(3, "covid19", PhantomSpec(matrix=64, slices=20)).volume
    write_ct(replace(volume, case_id="one"), folder / "one", PatientName="GEHEIM^ANNA")
    write_ct(replace(volume, case_id="two", stored_orientation="RPI"), folder / "two")
    write_ct(replace(volume, case_id="frameless"), folder / "frameless", FrameOfReferenceUID="")
    sitk.WriteImage(volume.to_sitk(volume.hu), folder / "nifti.nii.gz")
    write_xray(generate_radiograph(12, "covid19").radiograph, folder / "film" / "1.dcm")
    return folder


@pytest.fixture(scope="session")
def radiology(
    dicom_studies: Path, both_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server that stock clients of MONAI Label ask."""
    with serving(dicom_studies, both_models, tmp_path_factory, OMP_NUM_THREADS="1") as running:
        yield running

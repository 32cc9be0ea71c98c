"""What scanners send by C-STORE is screened once; what is damaged, malicious or too much is refused."""

import re
import select
import socket
import ssl
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    MRImageStorage,
    UltrasoundImageStorage,
)
from pynetdicom.association import Association
from pynetdicom.dsutils import encode
from pynetdicom.pdu_primitives import P_DATA
from scripts.phantom_files import write_ct
from tests.commands.conftest import narrow_models  # noqa: F401

from pneumoscreen.ct.phantoms.phantom import Phantom

from .dicomweb_server import DicomwebServer
from .receiving import SENDER, TITLE, Program, status_of
from .test_reading import FAULTS

PLANTED = {
    "PatientName": "Quixotemann^Zebulon", "PatientBirthDate": "19430217", "AccessionNumber": "ACC7731X",
    "PatientID": "PID55012Q", "InstitutionName": "Sanktgallhof", "ReferringPhysicianName": "Wuthermann^O",
}  # fmt: skip
RESULTS = ["DOC", "OT", "SEG", "SR"]
VERIFICATION = "1.2.840.10008.1.1"


@pytest.fixture
def program(narrow_models: Path, tmp_path: Path) -> Iterator[Program]:  # noqa: F811
    made = Program(narrow_models, tmp_path)
    yield made
    made.kill()


@pytest.fixture(scope="module")
def strict(narrow_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:  # noqa: F811
    """One with little room that screens nothing."""
    made = Program(narrow_models, tmp_path_factory.mktemp("strict"))
    made.start("--image-mb", 1, "--study-gb", 0.0002, "--folder-gb", 0.0003, quiet=3000)
    yield made
    made.kill()


@pytest.fixture
def study(phantom: Phantom, tmp_path: Path) -> Callable[..., list[Path]]:
    """Writes the files of a CT of its own study."""

    def make(number: int, **fields: object) -> list[Path]:
        return write_ct(replace(phantom.volume, case_id=f"case-{number}"), tmp_path / "sent" / str(number), **fields)

    return make


def uid_of(files: list[Path]) -> str:
    return str(pydicom.dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)


def test_studies_are_screened_once_and_later_images_are_said(
    program: Program, study: Callable[..., list[Path]]
) -> None:
    program.start()
    first, second = study(1), study(2)
    both = [image for pair in zip(first, second, strict=True) for image in pair]
    assert program.send(both) == [0] * 40
    program.until_ended(uid_of(first), uid_of(second))
    assert program.results(uid_of(first)) == program.results(uid_of(second)) == RESULTS
    program.until(lambda: not program.waiting())
    assert program.send(first[:3]) == [0, 0, 0]
    program.until(lambda: not program.waiting())
    program.until(lambda: program.entries()[uid_of(first)].late == 3)
    said = program.said()
    assert f"study {uid_of(first)}: 3 images came after it was screened; it is not screened again" in said
    assert said.count("results stored") == 2 and "Traceback" not in said


def test_who_is_not_allowed_is_rejected_with_the_reason_of_the_standard(strict: Program) -> None:
    for title, called, reason in ((SENDER, "OTHER", 7), ("STRANGER", TITLE, 3)):
        association = strict.associate([VERIFICATION], title, called)
        assert association.is_rejected
        answer = association.acceptor.primitive
        assert (answer.result, answer.result_source, answer.diagnostic) == (1, 1, reason)
    association = strict.associate([VERIFICATION])
    assert association.send_c_echo().Status == 0
    association.release()
    wanted = [CTImageStorage, ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation]
    association = strict.associate([*wanted, MRImageStorage, UltrasoundImageStorage])
    assert {str(one.abstract_syntax) for one in association.accepted_contexts} == set(wanted)
    association.release()
    assert "STRANGER" not in strict.said() and "an association was rejected" in strict.said()


def test_with_tls_only_who_has_a_certificate_is_heard(program: Program, certificate: Path) -> None:
    files = ["--ssl-certfile", certificate, "--ssl-keyfile", certificate, "--ssl-ca-certs", certificate]
    program.start(*files)
    trusting = ssl.create_default_context(cafile=str(certificate))
    knowing = ssl.create_default_context(cafile=str(certificate))
    knowing.load_cert_chain(certificate)
    with socket.create_connection(("127.0.0.1", program.port)):  # who says nothing keeps nobody waiting
        assert not program.associate([VERIFICATION]).is_established
        assert not program.associate([VERIFICATION], tls=trusting).is_established
        association = program.associate([VERIFICATION], tls=knowing)
        assert association.send_c_echo().Status == 0
        association.release()
    assert "Traceback" not in program.said()


def test_a_patient_is_named_nowhere_and_a_crash_costs_its_study(
    program: Program, study: Callable[..., list[Path]], server: DicomwebServer, tmp_path: Path
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(FAULTS)
    program.environment["PYTHONPATH"] = ":".join([str(tmp_path / "site"), *sys.path])
    program.start("--first", "StudyDescription=*Quixote*", results=["--pacs", server.url])
    crash, head = study(1, **PLANTED, StudyID="END"), study(2, **PLANTED, BodyPartExamined="HEAD")
    good = study(3, **PLANTED, StudyDescription="for Quixotemann")
    assert program.send([*crash, *head, *good]) == [0] * 60
    program.until_ended(uid_of(crash), uid_of(head), state="refused")
    program.until_ended(uid_of(good))
    reason = program.entries()[uid_of(crash)].reason
    assert reason == "an image cannot be read: the process that read it ended; copy or export it again"
    assert sorted(one.Modality for one in server.of(StudyInstanceUID=uid_of(good))) == RESULTS
    places = [path.relative_to(program.state) for path in program.state.rglob("*")]
    texts = [program.said().encode(), *(str(place).encode() for place in places)]
    images = ("incoming", "arriving", "outbox")
    texts += [(program.state / one).read_bytes() for one in places if one.parts[0] not in images and one.suffix]
    words = ["Quixotemann", "Zebulon", "19430217", "ACC7731X", "PID55012Q", "Sanktgallhof", "Wuthermann", str(tmp_path)]
    assert [word for word in words if any(word.encode() in text for text in texts)] == []
    assert "Traceback" not in program.said()


@pytest.fixture
def odd(tmp_path: Path) -> Callable[..., Path]:
    """Writes an image with other fields, None takes one out; what is said of it beforehand stays as it was."""
    folder = tmp_path / "odd"
    folder.mkdir()

    def make(image: Path, **fields: object) -> Path:
        found = pydicom.dcmread(image)
        for keyword, value in fields.items():
            if value is None:
                delattr(found, keyword)
            else:
                setattr(found, keyword, value)
        path = folder / f"{len(list(folder.iterdir()))}.dcm"
        found.save_as(path, write_like_original=True)
        return path

    return make


def test_what_is_damaged_or_malicious_is_refused_and_the_next_is_taken(
    strict: Program, study: Callable[..., list[Path]], odd: Callable[..., Path], tmp_path: Path
) -> None:
    files, size = study(1, PatientName="Quixotemann^Zebulon"), 10_000
    assert 0 < files[0].stat().st_size < size
    with sending(strict) as association:
        for image, status in (
            (files[0], 0),
            (odd(files[1], StudyInstanceUID=None), 0xC000),
            (odd(files[1], SeriesInstanceUID=""), 0xC000),
            (odd(files[1], StudyInstanceUID="../../../../tmp/evil"), 0xC000),
            (odd(files[1], SeriesInstanceUID=".."), 0xC000),
            (odd(files[1], StudyInstanceUID="1." * 40 + "1"), 0xC000),
            (odd(files[1], SOPInstanceUID=None), 0xC000),
            (odd(files[1], SOPClassUID=MRImageStorage), 0xA900),
            (odd(files[1], SOPInstanceUID="1.2.3"), 0xA900),
            (lying(files[1], b"\x08\x00\x20\x00"), 0xC000),
            # The first image once more is taken; with other content it is not.
            (files[0], 0),
            (odd(files[0], StudyDescription="other"), 0xC000),
            # More than an image, a study or all of them may take.
            (odd(files[1], PixelData=bytes(2 << 20)), 0xA700),
            (odd(files[1], PixelData=bytes(190_000)), 0xA700),
            (files[1], 0),
            (odd(files[2], StudyInstanceUID="1.2.3", PixelData=bytes(150_000)), 0),
            (odd(files[3], StudyInstanceUID="1.2.4", PixelData=bytes(150_000)), 0xA700),
        ):
            assert status_of(association, image) == status, (image, strict.said())
    assert len(strict.waiting()) == 3 and list((strict.state / "arriving").iterdir()) == []
    assert not [path for path in (*tmp_path.iterdir(), *strict.state.rglob("*")) if "evil" in path.name]
    said = strict.said()
    for option in ("--image-mb", "--study-gb", "--folder-gb"):
        assert re.search(rf"^refused with status A700: .*\({option}\)$", said, re.M)
    assert len(re.findall("^refused with status C000: ", said, re.M)) == 8
    assert "Quixotemann" not in said and "Traceback" not in said
    # Who breaks the protocol loses its own association only.
    for break_it in (
        a_pdu_without_end, a_command_without_end, an_image_without_a_name, a_part_of_nothing, too_many_connections,
    ):  # fmt: skip
        break_it(strict)
        with sending(strict) as association:
            assert status_of(association, files[0]) == 0
    strict.until(lambda: list((strict.state / "arriving").iterdir()) == [])
    assert "Traceback" not in strict.said()


@contextmanager
def sending(program: Program) -> Iterator[Association]:
    association = program.associate([CTImageStorage])
    assert association.is_established, program.said()
    yield association
    association.release()


def lying(image: Path, tag: bytes) -> Path:
    """The same image with an element that claims four gigabytes."""
    content = image.read_bytes()
    at = content.index(tag)
    found = image.with_name("lying.dcm")
    found.write_bytes(content[:at] + tag + b"UN\0\0" + struct.pack("<L", 0xFFFFFFF0) + content[at + 8 :])
    return found


def a_pdu_without_end(program: Program) -> None:
    with socket.create_connection(("127.0.0.1", program.port), 30) as peer:
        peer.sendall(struct.pack(">BBL", 1, 0, 0xFFFFFFFF) + b"x" * 100)
        with suppress(ConnectionResetError):
            assert peer.recv(100) == b""


def a_command_without_end(program: Program) -> None:
    broken(program, *[b"\x01" + bytes(10_000)] * 8)


def an_image_without_a_name(program: Program) -> None:
    command = Dataset()
    command.AffectedSOPClassUID, command.CommandField, command.MessageID = CTImageStorage, 1, 1
    command.CommandDataSetType, command.Priority = 1, 0
    encoded = encode(command, True, True)
    assert encoded is not None
    broken(program, b"\x03" + encoded, b"\x02" + bytes(100))


def a_part_of_nothing(program: Program) -> None:
    broken(program, b"\x00" + bytes(10), b"\x07rubbish")


def broken(program: Program, *parts: bytes) -> None:
    """Send parts of messages until the receiver ends the association."""
    association = program.associate([CTImageStorage])
    for part in parts:
        message = P_DATA()
        message.presentation_data_value_list = [[1, part]]
        association.dul.send_pdu(message)
    program.until(lambda: association.is_aborted or not association.is_alive())


def too_many_connections(program: Program) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(("127.0.0.1", program.port), 30)) for _ in range(60)]
        program.until(lambda: any(select.select([one], [], [], 0)[0] and one.recv(1) == b"" for one in silent))

    def is_heard() -> bool:
        association = program.associate([VERIFICATION])
        association.release()
        return not association.is_rejected and not association.is_aborted

    program.until(is_heard)

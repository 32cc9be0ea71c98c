"""The receiver is killed at random moments: what it said it has is there, and each study has its results once."""

import random
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import CTImageStorage
from scripts.phantom_files import write_ct
from tests.commands.conftest import narrow_models  # noqa: F401

from pneumoscreen.ct.phantoms.phantom import Phantom
from pneumoscreen.pacs.uids import folder_name

from .receiving import Program, status_of

RESULTS = ["DOC", "OT", "SEG", "SR"]


@pytest.fixture
def program(narrow_models: Path, tmp_path: Path) -> Iterator[Program]:  # noqa: F811
    made = Program(narrow_models, tmp_path)
    yield made
    made.kill()


class Scanner:
    """Sends images one by one, each again until it is acknowledged."""

    def __init__(self, program: Program, images: list[Path]) -> None:
        self._program, self._left = program, list(images)
        self.acknowledged: list[str] = []
        self.thread = threading.Thread(target=self._send, daemon=True)

    def _send(self) -> None:
        while self._left:
            association = self._program.associate([CTImageStorage])
            while association.is_established and self._left and status_of(association, self._left[0]) == 0:
                image = pydicom.dcmread(self._left.pop(0), stop_before_pixels=True)
                self.acknowledged.append(folder_name(str(image.SOPInstanceUID)))
            if association.is_established:
                association.release()
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("studies", "kills"), [(2, 1), pytest.param(8, 20, marks=[pytest.mark.slow, pytest.mark.timeout(3000)])]
)
def test_nothing_that_was_acknowledged_is_lost_and_nothing_doubled(
    program: Program, phantom: Phantom, tmp_path: Path, studies: int, kills: int
) -> None:
    files = [
        write_ct(replace(phantom.volume, case_id=f"case-{number}"), tmp_path / "sent" / str(number))
        for number in range(studies)
    ]
    images = [image for study in files for image in study]
    chance = random.Random(11)
    program.start(quiet=3000)
    scanner = Scanner(program, images)
    scanner.thread.start()
    for count in sorted(chance.sample(range(len(images)), kills)):
        program.until(lambda count=count: len(scanner.acknowledged) >= count)
        time.sleep(chance.uniform(0.0, 0.05))
        program.kill()
        assert set(scanner.acknowledged) <= {path.stem for path in program.waiting()}
        program.start(quiet=3000)
    scanner.thread.join(300)
    assert len(scanner.acknowledged) == len(images) == len(program.waiting())
    program.kill()
    uids = [str(pydicom.dcmread(study[0], stop_before_pixels=True).StudyInstanceUID) for study in files]
    for number in range(kills):
        program.start()
        if number % 3 == 2:  # a study over which the program ends ten times would be left alone
            done = stored(program)
            program.until(lambda done=done: stored(program) > done or done == studies)
        time.sleep(chance.uniform(0.0, 2.0))
        program.kill()
    program.start()
    program.until_ended(*uids)
    program.until(lambda: not program.waiting())
    assert {uid: program.results(uid) for uid in uids} == dict.fromkeys(uids, RESULTS)
    said = program.said()
    assert all(said.count(f"study {uid}: ") <= 1 for uid in uids) and "Traceback" not in said
    assert list((program.state / "outbox").iterdir()) == []


def stored(program: Program) -> int:
    return sum(entry.state == "stored" for entry in program.entries().values())

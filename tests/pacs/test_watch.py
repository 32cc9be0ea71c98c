"""Each study is screened once and its results arrive, whatever the PACS does and whenever the program is killed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from scripts.phantom_files import write_ct
from tests.commands.conftest import narrow_models  # noqa: F401

from pneumoscreen.ct.phantoms.phantom import Phantom
from pneumoscreen.errors import ImageError
from pneumoscreen.pacs.client import Access, Pacs, PacsAwayError
from pneumoscreen.pacs.priority import rules_of
from pneumoscreen.pacs.screening import FolderScreener, Written
from pneumoscreen.pacs.state import MOST_DEATHS, State, read_entries
from pneumoscreen.pacs.watch import NOTHING, Watcher

from .conftest import watcher_of
from .dicomweb_server import DicomwebServer

RESULTS = ["DOC", "OT", "SEG", "SR"]
PLANTED = {
    "PatientName": "Quixotemann^Zebulon",
    "PatientBirthDate": "19430217",
    "AccessionNumber": "ACC7731X",
    "PatientID": "PID55012Q",
    "InstitutionName": "Sanktgallhof",
    "ReferringPhysicianName": "Wuthermann^O",
}


def ct_study(server: DicomwebServer, phantom: Phantom, folder: Path, number: int, **fields: object) -> str:
    """A CT of its own study in the PACS; returns the study's UID."""
    volume = replace(phantom.volume, case_id=f"case-{number}")
    write_ct(volume, folder / str(number), **{**PLANTED, **fields})
    server.add(folder / str(number))
    return str(pydicom.dcmread(folder / str(number) / "0000.dcm").StudyInstanceUID)


def results(server: DicomwebServer, study: str) -> list[str]:
    """Modalities of all that was stored about a study, repeated where there are several."""
    return sorted(one.Modality for one in server.of(StudyInstanceUID=study) if one.Modality != "CT")


class Screens:
    """The real screening, and how often it was asked."""

    def __init__(self, models: Path) -> None:
        self._screener, self.count = FolderScreener(models, "cpu"), 0
        self.fault: Exception | None = None

    def __call__(self, folder: Path, note: str | None = None) -> Written:
        self.count += 1
        if self.fault is not None:
            raise self.fault
        return self._screener(folder, note)


@pytest.fixture(scope="module")
def screens(narrow_models: Path) -> Screens:  # noqa: F811
    return Screens(narrow_models)


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def clock() -> Iterator[list[float]]:
    return [1000.0]


@pytest.fixture
def watcher(
    server: DicomwebServer, screens: Screens, tmp_path: Path, lines: list[str], clock: list[float]
) -> Iterator[Watcher]:
    state = State(tmp_path / "state", lambda: clock[0])
    screens.count, screens.fault = 0, None
    pacs = Pacs(Access(server.url), retries=1, backoff_s=0.01)
    yield watcher_of(pacs, state, tmp_path / "state", screens, lines.append)
    state.close()


def states(folder: Path) -> dict[str, tuple[str, str]]:
    return {entry.study_uid: (entry.state, entry.reason) for entry in read_entries(folder / "state")}


def test_new_studies_are_screened_once_and_their_results_stored(
    watcher: Watcher, server: DicomwebServer, screens: Screens, phantom: Phantom, tmp_path: Path, lines: list[str]
) -> None:
    first = ct_study(server, phantom, tmp_path, 1)
    watcher.run(once=True)
    assert results(server, first) == RESULTS and screens.count == 1
    second = ct_study(server, phantom, tmp_path, 2)
    watcher.run(once=True)
    watcher.run(once=True)
    assert results(server, second) == RESULTS and screens.count == 2
    assert len(server.stored) == len(set(server.stored)) == 8
    assert states(tmp_path) == {first: ("stored", ""), second: ("stored", "")}
    assert [re.sub(": .*,", ":", line) for line in lines] == [
        f"study {first}: results stored", f"study {second}: results stored",
    ]  # fmt: skip
    seg = next(one for one in server.of(StudyInstanceUID=first) if one.Modality == "SEG")
    assert seg.PatientName == PLANTED["PatientName"]
    assert list((tmp_path / "state" / "outbox").iterdir()) == []


def test_a_watcher_that_knows_nothing_stores_the_same_objects_once_more(
    watcher: Watcher, server: DicomwebServer, phantom: Phantom, tmp_path: Path, screens: Screens
) -> None:
    study = ct_study(server, phantom, tmp_path, 1)
    watcher.run(once=True)
    other = State(tmp_path / "other")
    watcher_of(Pacs(Access(server.url)), other, tmp_path / "other", screens, print).run(once=True)
    other.close()
    assert len(server.stored) == 8 and len(set(server.stored)) == 4 and results(server, study) == RESULTS


def test_a_pacs_that_takes_nothing_gets_the_results_later_without_another_screening(
    watcher: Watcher, server: DicomwebServer, screens: Screens, phantom: Phantom, tmp_path: Path, clock: list[float]
) -> None:
    study = ct_study(server, phantom, tmp_path, 1)
    posts = iter([None, None, 503, 503, 503])
    server.fault = lambda method, path: next(posts, None) if method == "POST" else None
    watcher.look()
    watcher.work()
    assert results(server, study) == ["SEG", "SR"]
    state, reason = states(tmp_path)[study]
    assert state == "screened" and "cannot serve now when asked to store a result (503)" in reason
    watcher.work()
    assert len(server.stored) == 2  # not yet
    clock[0] += 31
    watcher.work()
    watcher.work()
    assert results(server, study) == RESULTS and screens.count == 1
    assert Counter(server.stored).most_common(1)[0][1] == 1


def test_it_goes_on_when_the_pacs_is_back(
    watcher: Watcher, server: DicomwebServer, phantom: Phantom, tmp_path: Path, lines: list[str], screens: Screens
) -> None:
    study = ct_study(server, phantom, tmp_path, 1)
    server.fault = lambda method, path: server.stop() or 503 if "/series/" in path else None
    watcher._look(once=False)
    watcher.work()
    assert states(tmp_path)[study][0] == "failed" and screens.count == 0
    assert not watcher._look(once=False) and not watcher._look(once=False)
    with pytest.raises(PacsAwayError):
        watcher.run(once=True)
    server.fault = lambda method, path: None
    server.start()
    assert watcher._look(once=False)
    watcher.work()
    assert results(server, study) == RESULTS
    away = [line for line in lines if "does not answer" in line and "is asked again every" in line]
    assert len(away) == 1 and sum("the PACS answers again" in line for line in lines) == 1


def test_what_cannot_be_screened_is_refused_with_its_reason_and_the_others_go_on(
    watcher: Watcher, server: DicomwebServer, phantom: Phantom, tmp_path: Path
) -> None:
    empty = replace(phantom, volume=replace(phantom.volume, hu=phantom.volume.hu * 0 - 1000))
    bad = ct_study(server, empty, tmp_path, 1)
    other = ct_study(server, phantom, tmp_path, 2, BodyPartExamined="HEAD")
    good = ct_study(server, phantom, tmp_path, 3)
    watcher.run(once=True)
    found = states(tmp_path)
    assert found[good] == ("stored", "") and found[other] == ("refused", NOTHING)
    assert found[bad][0] == "refused" and found[bad][1].startswith("the series ")
    assert str(tmp_path) not in found[bad][1] and results(server, bad) == []


def test_a_fault_of_the_program_is_tried_some_times_and_its_text_is_not_kept(
    watcher: Watcher, server: DicomwebServer, phantom: Phantom, tmp_path: Path, screens: Screens, clock: list[float]
) -> None:
    study = ct_study(server, phantom, tmp_path, 1)
    screens.fault = KeyError("Quixotemann^Zebulon")
    watcher.look()
    for _ in range(8):
        watcher.work()
        clock[0] += 10**5
    assert screens.count == 5
    assert states(tmp_path)[study] == ("refused", "a fault of the program (KeyError); please report it")


def test_the_most_urgent_study_is_screened_first(
    server: DicomwebServer, phantom: Phantom, tmp_path: Path, screens: Screens, lines: list[str]
) -> None:
    state = State(tmp_path / "state")
    screens.count, screens.fault = 0, ImageError("no chest")
    rules = rules_of(["StudyDescription=*stat*", "InstitutionalDepartmentName=emergency"])
    watcher = watcher_of(Pacs(Access(server.url)), state, tmp_path / "state", screens, lines.append, rules=rules)
    fields = [{}, {"InstitutionalDepartmentName": "Emergency"}, {"StudyDescription": "Chest STAT"}, {}]
    studies = [ct_study(server, phantom, tmp_path, number, **more) for number, more in enumerate(fields)]
    # In the order of their UIDs, as a PACS may list them, without rules.
    asked = [study.uid for study in Pacs(Access(server.url)).studies(["CT"])]
    watcher.run(once=True)
    state.close()
    found = [line.split()[1].rstrip(":") for line in lines]
    plain = [study for study in asked if study in (studies[0], studies[3])]
    assert found == [studies[2], studies[1], *plain]
    assert [entry.priority for entry in read_entries(tmp_path / "state")] == [
        {studies[2]: 2, studies[1]: 1}.get(study, 0) for study in asked
    ]


def test_without_networks_nothing_is_refused(
    server: DicomwebServer, phantom: Phantom, tmp_path: Path, lines: list[str]
) -> None:
    study = ct_study(server, phantom, tmp_path, 1)
    state = State(tmp_path / "state")
    (tmp_path / "models").mkdir()
    pacs, screen = Pacs(Access(server.url)), FolderScreener(tmp_path / "models", "cpu")
    watcher = watcher_of(pacs, state, tmp_path / "state", screen, lines.append)
    watcher.run(once=True)
    state.close()
    assert states(tmp_path)[study][0] == "failed" and "ct_candidates" in states(tmp_path)[study][1]


def test_a_study_that_kills_the_program_is_left_alone_in_the_end(
    watcher: Watcher, server: DicomwebServer, phantom: Phantom, tmp_path: Path, screens: Screens
) -> None:
    study = ct_study(server, phantom, tmp_path, 1)
    watcher.look()
    for _ in range(MOST_DEATHS):
        watcher._state.begin(study)
    watcher.work()
    assert screens.count == 0
    assert states(tmp_path)[study] == (
        "refused", f"the program ended {MOST_DEATHS} times over this study; screen it by hand to see why",
    )  # fmt: skip


class Program:
    """The real command in a process of its own, that can be killed and started again."""

    def __init__(self, server: DicomwebServer, models: Path, folder: Path) -> None:
        options = ["--pacs", server.url, "--state", folder / "state", "--days", 0, "--interval", 0.2, "--quiet", 0]
        command = [sys.executable, "-m", "pneumoscreen", "pacs", "watch", *options, "--once", "--model-dir", models]
        self._command, self._folder = [str(word) for word in [*command, "--device", "cpu"]], folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "said").open("ab") as said:
            self.process = subprocess.Popen(
                self._command, stdout=said, stderr=said, env={**os.environ, "PYTHONPATH": ":".join(sys.path)}
            )

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def said(self) -> str:
        return (self._folder / "said").read_text(encoding="utf-8")


@pytest.fixture
def program(server: DicomwebServer, narrow_models: Path, tmp_path: Path) -> Iterator[Program]:  # noqa: F811
    made = Program(server, narrow_models, tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


MOMENTS: list[tuple[str, Callable[[str, str], bool]]] = [
    ("studies are listed", lambda method, path: method == "GET" and path.endswith("/studies")),
    ("a header is read", lambda method, path: path.endswith("/metadata")),
    ("images are fetched", lambda method, path: re.search(r"/series/[0-9.]+$", path) is not None),
    ("the first result is stored", lambda method, path: method == "POST"),
    ("the second result is stored", lambda method, path: method == "POST"),
    ("a later result is stored", lambda method, path: method == "POST"),
]


def test_a_kill_at_any_moment_loses_nothing_and_doubles_nothing(
    program: Program, server: DicomwebServer, phantom: Phantom, tmp_path: Path
) -> None:
    studies = [ct_study(server, phantom, tmp_path, number) for number in range(3)]
    kills = []
    for moment, is_it in MOMENTS:
        # The kill comes while the PACS is at work: before the answer the one time, after what was asked for the other.
        def kill(method: str, path: str, is_it: Callable[[str, str], bool] = is_it, moment: str = moment) -> None:
            if moment not in kills and is_it(method, path):
                kills.append(moment)
                os.kill(program.process.pid, signal.SIGKILL)

        server.fault = kill
        program.start()
        program.process.wait(240)
        assert moment in kills, program.said()
    server.fault = lambda method, path: None
    for seconds in (0.0, 2.5, 5.0):
        # Somewhere between the start of the program and the end of its work.
        program.start()
        time.sleep(seconds)
        program.kill()
    program.start()
    assert program.process.wait(240) == 0, program.said()
    for study in studies:
        assert results(server, study) == RESULTS
    assert states(tmp_path) == dict.fromkeys(studies, ("stored", ""))
    said = program.said()
    assert all(said.count(f"study {study}: ") <= 1 for study in studies) and "Traceback" not in said
    assert list((tmp_path / "state" / "outbox").iterdir()) == []


def test_nothing_of_a_patient_is_in_what_the_program_says_and_keeps(
    program: Program, server: DicomwebServer, phantom: Phantom, tmp_path: Path
) -> None:
    ct_study(server, phantom, tmp_path, 1)
    ct_study(server, phantom, tmp_path, 2, BodyPartExamined="HEAD")
    # A name without parts, which packages warn of by quoting it, and a window that is none.
    ct_study(server, phantom, tmp_path, 3, PatientName="Quixotemann", PatientBirthDate="17.02.1943", PatientSex="X1")
    empty = replace(phantom, volume=replace(phantom.volume, hu=phantom.volume.hu * 0 - 1000))
    ct_study(server, empty, tmp_path, 4)
    program.start()
    assert program.process.wait(240) == 2, program.said()
    assert Counter(state for state, _ in states(tmp_path).values()) == {"stored": 2, "refused": 2}, program.said()
    kept = {
        path: path.read_bytes()
        for path in (tmp_path / "state").rglob("*")
        if path.is_file() and path.relative_to(tmp_path / "state").parts[0] not in ("cache", "outbox")
    }
    assert any(path.name == "state.sqlite" for path in kept)
    everything = [program.said().encode(), *kept.values(), *(str(path).encode() for path in kept)]
    words = ["Quixotemann", "Zebulon", "19430217", "17.02.1943", "ACC7731X", "PID55012Q", "Sanktgallhof", "Wuthermann"]
    assert [word for word in words if any(word.encode() in text for text in everything)] == []
    names = [str(path) for path in (tmp_path / "state").rglob("*")]
    assert not [name for name in names if any(word in name for word in words)]

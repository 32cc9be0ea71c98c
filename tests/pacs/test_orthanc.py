"""With a real PACS: the demonstration as it stands, and an Orthanc that is killed again and again."""

import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
import requests
from scripts.orthanc import Orthanc, free_port, missing, store_scu
from scripts.phantom_files import write_ct
from tests.commands.conftest import narrow_models  # noqa: F401

from pneumoscreen.ct.phantoms.phantom import Phantom
from pneumoscreen.pacs.client import Access, Pacs, PacsRefusedError
from pneumoscreen.pacs.screening import FolderScreener, Written
from pneumoscreen.pacs.state import State

from .conftest import watcher_of
from .receiving import SENDER, TITLE, Program

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(bool(missing()), reason=f"Debian packages are not installed: {' '.join(missing())}")


def test_the_sender_is_that_of_dcmtk_also_where_the_environment_is_active(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{own}{os.pathsep}{os.environ['PATH']}")
    assert Path(str(shutil.which("storescu"))).parent == own, "pynetdicom brings one of the same name"
    found = store_scu()
    assert found is not None
    said = subprocess.run([found, "--version"], capture_output=True, encoding="utf-8", errors="replace").stdout
    assert "dcmtk" in said


def test_the_demonstration_stores_valid_results(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.demo_pacs", "--out", str(tmp_path / "out"), "--matrix", "160"]
    environment = {**os.environ, "PYTHONPATH": ":".join([str(REPOSITORY / "lib"), *sys.path])}
    (tmp_path / "viewer").mkdir()
    (tmp_path / "viewer" / "index.html").touch()
    ended = subprocess.run(
        [*command, "--slices", "40", "--stay", "--ohif", str(tmp_path / "viewer")],
        cwd=REPOSITORY,
        env=environment,
        input="\n",
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(re.findall(r"^CT: DOC, OT, SEG, SR stored; http://127\.0\.0\.1:\d+/app/", ended.stdout, re.M)) == 2
    assert len(re.findall(r"^DX: DOC, OT, SR stored; http://", ended.stdout, re.M)) == 1
    assert len(re.findall(r"in OHIF: http://127\.0\.0\.1:\d+/viewer\?StudyInstanceUIDs=2\.25\.\d+&", ended.stdout)) == 3
    files = sorted((tmp_path / "out" / "results").iterdir())
    assert Counter(pydicom.dcmread(file).Modality for file in files) == {"SEG": 2, "SR": 3, "DOC": 3, "OT": 3}
    for file in files:
        if shutil.which("dciodvfy"):
            said = subprocess.run(
                ["dciodvfy", str(file)], capture_output=True, encoding="utf-8", errors="replace"
            ).stderr
            assert not re.findall("^Error", said, re.M), said
        if pydicom.dcmread(file).Modality == "SR":
            said = subprocess.run(["dsrdump", str(file)], capture_output=True, encoding="utf-8", errors="replace")
            assert said.returncode == 0 and "Research use only" in said.stdout, said.stderr


def test_a_folder_that_is_not_the_demonstrations_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    command = [sys.executable, "-m", "scripts.demo_pacs", "--out", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": ":".join([str(REPOSITORY / "lib"), *sys.path])}
    ended = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, encoding="utf-8", errors="replace"
    )
    assert ended.returncode == 2 and "name another folder with --out" in ended.stderr
    assert (tmp_path / "mine").read_text(encoding="utf-8") == "x"


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    made = Orthanc(tmp_path / "orthanc", users={"watcher": "geheim"})
    made.start()
    yield made
    made.kill()


def test_a_wrong_password_is_one_sentence(orthanc: Orthanc) -> None:
    with pytest.raises(PacsRefusedError, match="check user and password, or token"):
        list(Pacs(Access(orthanc.dicomweb, user="watcher", password="falsch")).studies(["CT"]))


def test_it_takes_nothing_from_a_sender_that_it_does_not_know(
    orthanc: Orthanc, phantom: Phantom, tmp_path: Path
) -> None:
    write_ct(phantom.volume, tmp_path / "sent")
    command = [store_scu() or "", "+sd", "-aet", "STRANGER", "-aec", "ORTHANC", "127.0.0.1", str(orthanc.dicom)]
    ended = subprocess.run([*command, str(tmp_path / "sent")], capture_output=True)
    assert ended.returncode != 0
    access = Access(orthanc.dicomweb, user="watcher", password="geheim")
    assert list(Pacs(access).studies(["CT"])) == []
    orthanc.send(tmp_path / "sent")
    assert len(list(Pacs(access).studies(["CT"]))) == 1


@pytest.mark.slow
def test_an_orthanc_that_is_killed_again_and_again_has_each_result_once(
    orthanc: Orthanc,
    narrow_models: Path,  # noqa: F811
    phantom: Phantom,
    tmp_path: Path,
) -> None:
    for number in range(6):
        write_ct(replace(phantom.volume, case_id=f"case-{number}"), tmp_path / "sent" / str(number))
    orthanc.send(tmp_path / "sent")
    sent = [pydicom.dcmread(folder / "0000.dcm").StudyInstanceUID for folder in (tmp_path / "sent").iterdir()]
    screened: Counter[str] = Counter()
    screener = FolderScreener(narrow_models, "cpu")

    def screen(folder: Path, note: str | None) -> Written:
        written = screener(folder, note)
        screened[str(written.case.image.study_uid)] += 1
        return written

    ahead, has_ended = [0.0], threading.Event()
    state = State(tmp_path / "state", lambda: time.time() + ahead[0])
    pacs = Pacs(Access(orthanc.dicomweb, user="watcher", password="geheim"), retries=1, backoff_s=0.05)
    watcher = watcher_of(pacs, state, tmp_path / "state", screen, lambda line: None)

    def kill_often() -> None:
        chance = random.Random(7)
        for _ in range(8):
            time.sleep(chance.uniform(0.05, 1.2))
            orthanc.kill()
            orthanc.start()
        has_ended.set()

    killer = threading.Thread(target=kill_often)
    killer.start()
    end = time.monotonic() + 240
    while time.monotonic() < end and not (
        has_ended.is_set() and len(sent) == sum(entry.state == "stored" for entry in state.entries())
    ):
        watcher._look(once=False)
        watcher.work()
        ahead[0] += 10**5
    killer.join()
    state.close()
    assert screened == dict.fromkeys(map(str, sent), 1)
    for study in sent:
        found = sorted(str(tags["Modality"]) for tags in orthanc.instances(study) if tags["Modality"] != "CT")
        assert found == ["DOC", "OT", "SEG", "SR"]


def test_orthanc_hands_on_what_is_stable_and_gets_the_results(
    narrow_models: Path,  # noqa: F811
    phantom: Phantom,
    tmp_path: Path,
) -> None:
    program = Program(narrow_models, tmp_path)
    program.port = free_port()
    script = {
        "LuaScripts": [str(REPOSITORY / "scripts" / "on_stable_study.lua")],
        "StableAge": 1,
        "DicomModalities": {
            "sender": {"AET": "STORESCU", "Host": "127.0.0.1", "Port": 1, "AllowStore": True},
            "pneumoscreen": {"AET": TITLE, "Host": "127.0.0.1", "Port": program.port},
        },
    }
    orthanc = Orthanc(tmp_path / "orthanc", more=script)
    orthanc.start()
    try:
        program.start("--allow", "ORTHANC", quiet=0.0, results=["--pacs", orthanc.dicomweb])
        write_ct(phantom.volume, tmp_path / "sent")
        study = str(pydicom.dcmread(tmp_path / "sent" / "0000.dcm").StudyInstanceUID)
        orthanc.send(tmp_path / "sent")
        program.until_ended(study)

        def modalities() -> Counter[str]:
            return Counter(str(tags["Modality"]) for tags in orthanc.instances(study))

        program.until(lambda: len(modalities()) == 5)
        # The results make the study stable once more, and it is not sent once more.
        program.until(lambda: stable(orthanc) >= 2)
        assert modalities() == {"CT": 20, "SEG": 1, "SR": 1, "DOC": 1, "OT": 1}
        assert program.entries()[study].late == 0 and program.said().count("results stored") == 1
        command = [store_scu() or "", "+sd", "-aet", SENDER, "-aec", TITLE, "127.0.0.1", str(program.port)]
        subprocess.run([*command, str(tmp_path / "sent")], check=True, capture_output=True)
        program.until(lambda: program.entries()[study].late == 20)
        command[3] = "STRANGER"
        ended = subprocess.run([*command, str(tmp_path / "sent")], capture_output=True, encoding="utf-8")
        assert ended.returncode != 0 and "Calling AE Title Not Recognized" in ended.stderr
    finally:
        program.kill()
        orthanc.kill()


def stable(orthanc: Orthanc) -> int:
    """How often Orthanc called a study stable."""
    changes = requests.get(f"{orthanc.url}/changes", params={"limit": 1000}, timeout=30).json()["Changes"]
    return sum(change["ChangeType"] == "StableStudy" for change in changes)

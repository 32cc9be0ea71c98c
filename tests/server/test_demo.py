"""The demo as a user runs it: a process that starts a server of its own and leaves none behind."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pneumoscreen.case import Case
from pneumoscreen.methods import method_for
from pneumoscreen.report.wording import display_name
from pneumoscreen.server.client import Client

from .conftest import environment

CASES = [(asked.diagnosis, asked.seed) for asked in method_for("CT").demonstration]
(XRAY_CASE,) = [(asked.diagnosis, asked.seed) for asked in method_for("CXR").demonstration]
SMALL = """
import sys
from dataclasses import replace
from pneumoscreen import cli
from pneumoscreen.methods import METHODS

small = [replace(asked, matrix=128, slices=30) for asked in METHODS[0].demonstration]
type(METHODS[0]).demonstration = small
sys.exit(cli.main(["demo", *sys.argv[1:]]))
"""
"""The demo's command with phantoms of a tenth of the voxels."""

LATE = SMALL.replace(
    "sys.exit",
    """
from pneumoscreen.server import demo

class ClientOf(demo.ClientOf):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        demo.client_of = self

def phantoms_when_served(asked):
    demo.client_of().wait_until_ready(600)
    return type(METHODS[1]).phantoms(METHODS[1], asked)

demo.ClientOf, METHODS[1].phantoms = ClientOf, phantoms_when_served
sys.exit""",
)
"""The same where making the phantoms takes longer than starting the server, as it does with whole ones."""

GONE_WITHIN_S = 20.0


def start_demo(models: Path, *arguments: str, program: str = SMALL) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env={**environment(models), "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def address_in(line: str) -> str:
    return line.split("Server: ")[1].split()[0]


def is_served(address: str) -> bool:
    host, port = address.removeprefix("http://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def row_of(name: str, printed: str) -> str:
    return next(line for line in printed.splitlines() if line.startswith("│") and name in line)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of the first demo, which the second one runs over."""
    return tmp_path_factory.mktemp("demo") / "out"


def test_the_phantoms_are_screened_over_rest(both_models: Path, out: Path) -> None:
    demo = start_demo(both_models, "--out", str(out))
    printed, errors = demo.communicate(timeout=300)
    assert demo.returncode == 0, errors
    assert errors == ""
    for diagnosis, seed in CASES:
        name = f"phantom-{seed:06d}"
        case = Case.from_json((out / f"{name}.json").read_text(encoding="utf-8"))
        assert case.verdict is not None
        assert case.diagnosis is None, f"the truth, {diagnosis}, must not reach the server"
        assert name in (out / f"{name}.html").read_text(encoding="utf-8")
        assert display_name(diagnosis) in row_of(name, printed), "what it was made as stands beside its verdict"
    label, seed = XRAY_CASE
    xray = Case.from_json((out / f"xray-{seed:06d}.json").read_text(encoding="utf-8"))
    assert xray.modality == "CXR" and xray.cxr is not None and xray.diagnosis is None
    assert display_name(label) in row_of(xray.case_id, printed)
    assert {diagnosis for diagnosis, _ in CASES} == {"covid19", "influenza_a", "no_infection_found"}
    assert f"make serve STUDIES={out / 'studies'}" in printed
    assert not is_served(address_in(printed))
    assert "Traceback" not in (out / "server.log").read_text(encoding="utf-8")


def test_phantoms_that_come_after_the_server_is_up_are_screened(both_models: Path, tmp_path: Path) -> None:
    demo = start_demo(both_models, "--out", str(tmp_path / "out"), program=LATE)
    _, errors = demo.communicate(timeout=600)
    assert (demo.returncode, errors) == (0, "")
    assert len(list((tmp_path / "out").glob("*.html"))) == len(CASES) + 1


@pytest.mark.slow
def test_a_folder_with_a_good_and_two_bad_scans(both_models: Path, out: Path, studies: Path, tmp_path: Path) -> None:
    for name in ("upright.nii.gz", "broken.nii.gz", "flesh.nii.gz"):
        shutil.copy(studies / name, tmp_path)
    demo = start_demo(both_models, "--out", str(out), "--ct", str(tmp_path))
    printed, errors = demo.communicate(timeout=300)
    assert demo.returncode == 2
    assert sorted(line.split(":")[0] for line in errors.splitlines()) == ["broken", "flesh"]
    assert "upright" in printed
    assert (out / "upright.html").is_file()
    assert not list(out.glob("phantom-*")), "what the demo before made is gone"
    assert not is_served(address_in(printed))


@pytest.mark.parametrize("name", ["nowhere.nii.gz", "empty"])
def test_no_scan_is_one_sentence(both_models: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    demo = start_demo(both_models, "--out", str(tmp_path / "out"), "--ct", str(tmp_path / name))
    printed, errors = demo.communicate(timeout=60)
    assert demo.returncode == 2
    assert len(errors.splitlines()) == 1
    assert name in errors
    assert printed == ""


def test_a_broken_picture_is_one_sentence(both_models: Path, tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    demo = start_demo(both_models, "--out", str(tmp_path / "out"), "--ct", str(tmp_path / "picture.png"))
    _, errors = demo.communicate(timeout=120)
    assert demo.returncode == 2
    assert len(errors.splitlines()) == 1 and "picture.png" in errors


def test_a_folder_of_the_users_is_not_emptied(both_models: Path, tmp_path: Path) -> None:
    mine = tmp_path / "studies" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    demo = start_demo(both_models, "--out", str(tmp_path))
    _, errors = demo.communicate(timeout=60)
    assert demo.returncode == 2
    assert "no demo made it" in errors
    assert mine.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 130, marks=pytest.mark.slow),  # the same way out as SIGINT
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_no_server_outlives_the_demo(both_models: Path, tmp_path: Path, number: signal.Signals, status: int) -> None:
    demo = start_demo(both_models, "--out", str(tmp_path / "out"))
    assert demo.stdout is not None
    address = next(address_in(line) for line in demo.stdout if "Server: " in line)
    client = Client(address)
    while not client.get("/pneumoscreen/progress").json()["jobs"]:
        assert demo.poll() is None, "the demo ended before it was interrupted"
    demo.send_signal(number)
    _, errors = demo.communicate(timeout=60)
    assert demo.returncode == status
    assert errors == ""
    end = time.monotonic() + GONE_WITHIN_S
    while is_served(address):
        assert time.monotonic() < end, "the server still listens"
        time.sleep(0.1)
    assert "Traceback" not in (tmp_path / "out" / "server.log").read_text(encoding="utf-8")

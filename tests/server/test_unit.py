"""The unit of systemd: sound and hardened; ``test_operation`` runs a server under what it forbids."""

import shutil
import subprocess
from pathlib import Path

import pytest

from .confined import allowed_calls
from .conftest import REPOSITORY

UNIT = REPOSITORY / "deploy" / "pneumoscreen.service"
MOST_EXPOSED = 2.0
"""Of systemd's ten; ours: what systemd itself calls OK ends at 4."""

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine: apt-get install systemd"
)


def _installed(folder: Path) -> Path:
    """The unit, with a program that is there."""
    text = UNIT.read_text(encoding="utf-8")
    assert text.count("/opt/pneumoscreen/bin/pneumoscreen ") == 1
    unit = folder / UNIT.name
    unit.write_text(text.replace("/opt/pneumoscreen/bin/pneumoscreen ", f"{shutil.which('true')} "))
    return unit


def test_systemd_finds_nothing_wrong_with_it(tmp_path: Path) -> None:
    words = ["systemd-analyze", "verify", "--man=no", str(_installed(tmp_path))]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", check=False, timeout=60)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "pneumoscreen" in line]) == (0, [])


def test_it_is_hardly_exposed(tmp_path: Path) -> None:
    words = ["systemd-analyze", "security", "--offline=yes", f"--threshold={MOST_EXPOSED * 10:.0f}"]
    words += ["--no-pager", str(_installed(tmp_path))]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", check=False, timeout=60)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overall exposure level" in done.stdout


def test_what_the_server_needs_is_let_through_and_what_breaks_out_is_not() -> None:
    allowed = allowed_calls(UNIT)
    assert {"mmap", "clone3", "futex", "setpriority", "sched_setscheduler", "execve", "socket"} <= allowed
    assert not allowed & {"mount", "ptrace", "bpf", "chroot", "reboot", "init_module", "kexec_load"}

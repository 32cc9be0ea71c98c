"""Runs a command under what the systemd unit forbids to system calls: ``python confined.py UNIT COMMAND…``.

systemd itself needs to be the first process of its machine; its filters are laid over any process by libseccomp. Taken
from the unit: ``SystemCallFilter``, ``MemoryDenyWriteExecute``, ``RestrictAddressFamilies`` and ``NoNewPrivileges``.
"""

import ctypes
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_EQUAL, _MASKED_EQUAL = 4, 7
_MOST_FAMILIES = 46
_NO_NEW_PRIVILEGES = 38
_WRITE, _EXECUTE, _SHARED_EXECUTE = 2, 4, 0o100000
_FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10}


UNIT = Path(__file__).resolve().parents[2] / "deploy" / "pneumoscreen.service"


class _Compare(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operation", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


class _Filter:
    """One filter of libseccomp."""

    def __init__(self, default: int) -> None:
        self._library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        self._library.seccomp_init.restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(self._library.seccomp_init(default))

    def add(self, action: int, name: str, *compared: _Compare) -> None:
        """A rule for a system call; one that this machine does not have is passed over."""
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            rules = (_Compare * max(len(compared), 1))(*compared)
            if self._library.seccomp_rule_add_array(self._context, action, number, len(compared), rules):
                raise OSError(f"no rule can be made for {name}")

    def load(self) -> None:
        """From here on it holds, for all that this process becomes and starts."""
        if self._library.seccomp_load(self._context):
            raise OSError("the filter cannot be loaded")


def values_of(unit: Path, name: str) -> list[str]:
    """All values of a setting in a unit."""
    lines = unit.read_text(encoding="utf-8").splitlines()
    return [line.partition("=")[2].strip() for line in lines if line.startswith(f"{name}=")]


def allowed_calls(unit: Path) -> set[str]:
    """The system calls that the unit's filter lets through."""
    allowed: set[str] = set()
    for value in values_of(unit, "SystemCallFilter"):
        calls = set(_expanded(value.removeprefix("~").split()))
        allowed = allowed - calls if value.startswith("~") else allowed | calls
    return allowed


def _expanded(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        if not name.startswith("@"):
            yield name
            continue
        words = ["systemd-analyze", "syscall-filter", name]
        listed = subprocess.run(words, capture_output=True, encoding="utf-8", check=True).stdout.splitlines()
        yield from _expanded(line.strip() for line in listed[1:] if line.strip() and not line.strip().startswith("#"))


def confine(unit: Path) -> None:
    """Lay the unit's filters over this process."""
    allowed = allowed_calls(unit)
    if values_of(unit, "NoNewPrivileges") != ["yes"] or ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError("new privileges cannot be forbidden")
    denying = _Filter(_ALLOW)
    if values_of(unit, "MemoryDenyWriteExecute") == ["yes"]:
        both = _WRITE | _EXECUTE
        denying.add(_ERRNO | errno.EPERM, "mmap", _Compare(2, _MASKED_EQUAL, both, both))
        for call in ("mprotect", "pkey_mprotect"):
            denying.add(_ERRNO | errno.EPERM, call, _Compare(2, _MASKED_EQUAL, _EXECUTE, _EXECUTE))
        denying.add(_ERRNO | errno.EPERM, "shmat", _Compare(2, _MASKED_EQUAL, _SHARED_EXECUTE, _SHARED_EXECUTE))
    families = [_FAMILIES[name] for value in values_of(unit, "RestrictAddressFamilies") for name in value.split()]
    for family in set(range(_MOST_FAMILIES)) - set(families):
        denying.add(_ERRNO | errno.EAFNOSUPPORT, "socket", _Compare(0, _EQUAL, family, 0))
    denying.load()
    listing = _Filter(_ERRNO | errno.EPERM)
    for call in sorted(allowed):
        listing.add(_ALLOW, call)
    listing.load()


def words_before() -> tuple[str, ...]:
    """What stands before a command that is to run under the filters of the project's unit; nothing where it cannot."""
    if shutil.which("systemd-analyze") is None or not sys.platform.startswith("linux"):
        return ()
    return sys.executable, __file__, str(UNIT)


def main(arguments: Sequence[str]) -> None:
    """Confine this process and become the command."""
    confine(Path(arguments[0]))
    os.execv(arguments[1], arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])

"""The audit log: appended, never changed, and without names of cases."""

import json
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from pneumoscreen.studies.audit import AuditLog, case_digest


def test_an_entry_says_who_did_what_and_when(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    log.record("reader-a", "submit", "Doe^John", version=3, kind="reader")
    log.record("trainer", "train")
    first, second = log.entries()
    assert (first["speaker"], first["action"], first["version"]) == ("reader-a", "submit", 3)
    assert first["case"] == case_digest("Doe^John") and len(first["case"]) == 16
    assert "case" not in second
    when = datetime.fromisoformat(first["at"])
    assert when.tzinfo is not None and abs((datetime.now(UTC) - when).total_seconds()) < 60
    (file,) = (tmp_path / "audit").iterdir()
    assert file.name == f"audit-{datetime.now(UTC):%Y-%m}.jsonl"
    assert b"Doe" not in file.read_bytes()
    assert file.stat().st_mode & 0o007 == 0, "not for everybody"


def test_it_is_only_ever_appended_to(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    log.record("a", "one")
    (file,) = (tmp_path / "audit").iterdir()
    before = file.read_bytes()
    log.record("a", "two")
    assert file.read_bytes().startswith(before)


def test_a_line_cut_short_costs_only_itself(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    log.record("a", "one")
    (file,) = (tmp_path / "audit").iterdir()
    with file.open("ab") as append:
        append.write(b'{"at": "2026-')
    log.record("b", "two")
    assert [entry["action"] for entry in log.entries()] == ["one", "two"]


def test_names_with_line_ends_stay_one_entry(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    log.record("a\nb\u2028\x85", "one", "\ud800")
    assert [entry["speaker"] for entry in log.entries()] == ["a\nb\u2028\x85"]


def _record_many(folder: Path, speaker: str) -> None:
    for i in range(25):
        AuditLog(folder).record(speaker, "submit", f"case-{i}", number=i)


def test_threads_and_processes_do_not_mix_their_lines(tmp_path: Path) -> None:
    processes = [
        multiprocessing.get_context("fork").Process(target=_record_many, args=(tmp_path, f"p{i}")) for i in range(2)
    ]
    for process in processes:
        process.start()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: _record_many(tmp_path, f"t{i}"), range(4)))
    for process in processes:
        process.join(60)
    (file,) = (tmp_path / "audit").iterdir()
    entries = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]
    assert len(entries) == 150
    for speaker in ("p0", "p1", "t0", "t1", "t2", "t3"):
        assert [entry["number"] for entry in entries if entry["speaker"] == speaker] == list(range(25))

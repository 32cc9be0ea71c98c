"""The annotation store: nothing that was accepted is lost, and the right version counts."""

import hashlib
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.case_documents import version_1

from pneumoscreen import __version__
from pneumoscreen.case import Case, LungInfo
from pneumoscreen.errors import CaseError, PneumoScreenError
from pneumoscreen.studies.annotations import AnnotationStore, ConflictError, NoVersionError, StorageError
from pneumoscreen.studies.layout import FINAL_LABELS, is_plain_name, nested_id
from pneumoscreen.studies.split import side_of
from pneumoscreen.studies.versions import Annotation
from pneumoscreen.verdict import Classes, decide

from .conftest import document

KILLS, QUICK_KILLS = 200, 20


@pytest.fixture
def store(tmp_path: Path) -> AnnotationStore:
    return AnnotationStore(tmp_path)


def label(store: AnnotationStore, case_id: str = "ct-1") -> Case:
    """What training would read."""
    return Case.from_json((store.studies / FINAL_LABELS / f"{case_id}.json").read_text(encoding="utf-8"))


def test_every_submission_is_a_version_and_the_newest_counts(store: AnnotationStore) -> None:
    first = store.submit(document(), "reader-a")
    second = store.submit(document(label="irrelevant"), "reader-b", base=1)
    third = store.submit(document(label="influenza_a"), "reader-a", base=2)
    assert [v.version for v in store.versions("ct-1")] == [1, 2, 3]
    assert store.versions("ct-1") == [first, second, third]
    assert (first.software, first.kind, first.base, third.base) == (__version__, "reader", None, 2)
    assert first.at.endswith("Z")
    assert store.current("ct-1") == {"reader-a": third, "reader-b": second}
    assert store.counting("ct-1") == third
    assert label(store) == third.document
    assert store.cases() == ["ct-1"]


def test_what_follows_from_the_regions_is_derived_and_told(store: AnnotationStore) -> None:
    lungs = {"left": LungInfo(1000.0, 12.0)}
    wrong = replace(document(label="irrelevant"), lungs=lungs, verdict=decide([("covid19", 1.0)]))
    stored = store.submit(wrong, "reader-a")
    assert stored.document == replace(wrong, lungs={"left": LungInfo(1000.0, 0.0)}).with_verdict()
    assert stored.changes == (
        "The affected share of the left lung is 0.0 %, not 12.0 %, by the regions that count.",
        "The verdict is no_infection_found, not covid19, by the regions that count.",
    )
    assert stored.answer()["changes"] == list(stored.changes)
    # What was stored is not told again, and the same document is the same version.
    assert store.versions("ct-1") == [stored] and store.versions("ct-1")[0].changes == ()
    again = store.submit(wrong, "reader-a")
    assert (again.version, again.changes) == (1, stored.changes)


def test_a_folder_of_version_1_opens_and_is_written_on_in_version_2(store: AnnotationStore) -> None:
    first = store.submit(document(), "reader-a")
    as_version_1(store, first)
    opened = AnnotationStore(store.studies)
    assert opened.versions("ct-1") == [first] and opened.counting("ct-1") == first
    assert opened.repair() == []
    assert label(opened) == first.document
    second = opened.submit(document(label="irrelevant"), "reader-b", base=1)
    assert [version.version for version in opened.versions("ct-1")] == [1, 2]
    text = (store.studies / FINAL_LABELS / "ct-1.json").read_text(encoding="utf-8")
    assert json.loads(text)["schema"] == "pneumoscreen.case/2" and label(opened) == second.document


def as_version_1(store: AnnotationStore, version: Annotation) -> None:
    """Write a version and its label as the program of the contract's version 1 wrote them."""
    content = version.envelope()
    content["document"] = version_1(content["document"])
    del content["sha256"]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    content["sha256"] = hashlib.sha256(canonical.encode()).hexdigest()
    name = f"{version.version:06d}.json"
    (store.studies / "annotations" / version.case_id / name).write_text(json.dumps(content), encoding="utf-8")
    (store.studies / FINAL_LABELS / f"{version.case_id}.json").write_text(
        json.dumps(content["document"]), encoding="utf-8"
    )


def test_the_adjudicated_version_counts_until_a_newer_adjudication(store: AnnotationStore) -> None:
    store.submit(document(), "reader-a")
    store.submit(document(label="irrelevant"), "reader-b")
    settled = store.adjudicate("ct-1", 1, "chief")
    assert (settled.version, settled.kind, settled.base, settled.reader) == (3, "adjudication", 1, "chief")
    store.submit(document(label="influenza_a"), "reader-b")
    assert store.counting("ct-1") == settled
    assert label(store) == document()
    newer = store.submit(document(label="irrelevant"), "chief", kind="adjudication")
    assert store.counting("ct-1") == newer
    with pytest.raises(NoVersionError, match="no version 9; there are: 1, 2, 3, 4, 5"):
        store.adjudicate("ct-1", 9, "chief")


def test_a_withdrawn_case_counts_no_more_and_keeps_its_versions(store: AnnotationStore) -> None:
    store.submit(document(), "reader-a")
    withdrawn = store.withdraw("ct-1", "administrator")
    assert (withdrawn.version, withdrawn.kind) == (2, "withdrawal")
    assert store.counting("ct-1") is None and store.current("ct-1") == {}
    assert len(store.versions("ct-1")) == 2
    assert not (store.studies / FINAL_LABELS / "ct-1.json").exists()
    with pytest.raises(NoVersionError, match="none to withdraw"):
        store.withdraw("ct-1", "administrator")
    again = store.submit(document(), "reader-a")
    assert (again.version, store.counting("ct-1")) == (3, again)


def test_somebody_elses_newer_version_is_a_conflict(store: AnnotationStore) -> None:
    store.submit(document(), "reader-a", base=0)
    other = store.submit(document(label="irrelevant"), "reader-b", base=1)
    with pytest.raises(ConflictError, match=r"reader-b submitted version 2 .* after version 1") as refused:
        store.submit(document(label="influenza_a"), "reader-a", base=1)
    assert refused.value.other == other
    assert len(store.versions("ct-1")) == 2
    assert store.submit(document(label="influenza_a"), "reader-a", base=2).version == 3
    assert store.submit(document(), "reader-a", base=2).version == 4, "one's own newer version is none"
    with pytest.raises(CaseError, match="base must be a version of case ct-1, 0 to 4, not 5"):
        store.submit(document(), "reader-a", base=5)


def test_a_repeated_submission_is_one_version(store: AnnotationStore) -> None:
    assert store.submit(document(), "reader-a") == store.submit(document(), "reader-a", base=0)
    assert len(store.versions("ct-1")) == 1
    store.submit(document(), "reader-b")
    assert store.submit(document(), "reader-a").version == 3, "another reader spoke in between"


def test_a_label_older_than_the_store_becomes_the_first_version(store: AnnotationStore) -> None:
    old = document(reader="phantom truth")
    path = store.studies / FINAL_LABELS / "ct-1.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(old.to_dict()), encoding="utf-8")
    os.utime(path, (1e9, 1e9))
    (shown,) = store.versions("ct-1")
    assert (shown.version, shown.reader, shown.kind, shown.at) == (
        1,
        "phantom truth",
        "import",
        "2001-09-09T01:46:40.000Z",
    )
    assert not (store.studies / "annotations").exists(), "reading changes nothing"
    assert store.cases() == ["ct-1"]
    new = store.submit(document(label="irrelevant"), "reader-a", base=1)
    assert new.version == 2 and label(store) == new.document
    assert store.version("ct-1", 1) == shown
    with pytest.raises(ConflictError, match="reader-a submitted version 2"):
        store.submit(document(), "reader-b", base=0)


def test_a_label_edited_by_hand_is_taken_in_before_it_is_replaced(store: AnnotationStore) -> None:
    store.submit(document(), "reader-a")
    edited = document(reader="by hand", label="influenza_a")
    path = store.studies / FINAL_LABELS / "ct-1.json"
    path.write_text(edited.to_json(), encoding="utf-8")
    store.submit(document(label="irrelevant"), "reader-a")
    assert [(v.reader, v.kind) for v in store.versions("ct-1")] == [
        ("reader-a", "reader"),
        ("by hand", "import"),
        ("reader-a", "reader"),
    ]
    path.write_text("{ damaged by hand", encoding="utf-8")
    store.submit(document(), "reader-b")
    (kept,) = (store.studies / "annotations" / "ct-1").glob("unreadable-*.json")
    assert kept.read_text(encoding="utf-8") == "{ damaged by hand"
    assert label(store) == document()


def test_a_damaged_version_is_passed_over_and_its_number_never_used_again(
    store: AnnotationStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.submit(document(), "reader-a")
    store.submit(document(label="irrelevant"), "reader-b")
    folder = store.studies / "annotations" / "ct-1"
    whole = (folder / "000002.json").read_bytes()
    for damage in (b"", whole[: len(whole) // 2], whole.replace(b"irrelevant", b"influenza_a"), b"[]", b"\xff"):
        (folder / "000002.json").write_bytes(damage)
        assert [v.version for v in store.versions("ct-1")] == [1]
        assert "000002.json is damaged" in caplog.text
        caplog.clear()
    (folder / "000007.json").write_bytes(b"{")
    (folder / ".000003.json-abcdefgh").write_bytes(b"half")
    (folder / "000008.json").mkdir()
    assert store.submit(document(label="influenza_a"), "reader-a").version > 8
    assert not list(folder.glob(".0*")), "leftovers of killed writers are swept"
    recovered = [v for v in store.versions("ct-1") if v.kind == "import"]
    assert [v.document for v in recovered] == [document(label="irrelevant")], "the label still held the damaged one"


def test_a_changed_reader_name_in_a_file_is_damage(store: AnnotationStore) -> None:
    store.submit(document(), "reader-a")
    path = store.studies / "annotations" / "ct-1" / "000001.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"reader": "reader-a"', '"reader": "reader-x"', 1))
    (store.studies / FINAL_LABELS / "ct-1.json").unlink()
    assert store.versions("ct-1") == []


def test_versions_stay_readable_when_the_classes_change(store: AnnotationStore) -> None:
    kept = store.submit(document(), "reader-a")
    other = AnnotationStore(store.studies, Classes(("rsv",)))
    assert other.versions("ct-1") == [kept]
    with pytest.raises(CaseError, match="label"):
        other.submit(document(), "reader-a")


def test_a_label_left_behind_by_a_crash_is_mended(store: AnnotationStore) -> None:
    store.submit(document(), "reader-a")
    path = store.studies / FINAL_LABELS / "ct-1.json"
    behind = path.read_bytes()
    newest = store.submit(document(label="irrelevant"), "reader-b")
    assert store.repair() == []
    path.write_bytes(behind)
    assert store.repair() == ["ct-1"]
    assert label(store) == newest.document
    assert len(store.versions("ct-1")) == 2
    path.unlink()
    assert store.repair() == ["ct-1"] and label(store) == newest.document
    store.withdraw("ct-1", "administrator")
    path.write_bytes(behind)
    assert store.repair() == ["ct-1"] and not path.exists()


def test_a_label_map_is_kept_with_its_version(store: AnnotationStore, tmp_path: Path) -> None:
    pixels = tmp_path / "map.nii.gz"
    pixels.write_bytes(b"first")
    first = store.submit(document(), "reader-a", label_map=pixels)
    pixels.write_bytes(b"second")
    second = store.submit(document(), "reader-a", label_map=pixels)
    assert (first.label_map, second.label_map) == ("000001.nii.gz", "000002.nii.gz")
    assert [store.label_map(v).read_bytes() for v in store.versions("ct-1")] == [b"first", b"second"]  # type: ignore[union-attr]
    settled = store.adjudicate("ct-1", 1, "chief")
    assert store.label_map(settled).read_bytes() == b"first"  # type: ignore[union-attr]
    with pytest.raises(CaseError, match="label_map must end in"):
        store.submit(document(), "reader-b", label_map=tmp_path / "map.exe")


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../up", "a/b", "/etc/passwd", "a\\b", ".hidden", "a\x00", "a\nb", "a\u2028b", "x" * 201,
     "\ud800", "é" * 101],
)  # fmt: skip
def test_names_that_could_lead_elsewhere_are_refused(store: AnnotationStore, name: str) -> None:
    before = sorted(store.studies.parent.rglob("*"))
    # The contract itself refuses an empty id and half a surrogate pair.
    with pytest.raises(CaseError, match="case_id"):
        store.submit(replace(document(), case_id=name), "reader-a")
    with pytest.raises(CaseError, match="field case_id"):
        store.versions(name)
    assert sorted(store.studies.parent.rglob("*")) == before


def test_what_else_cannot_be_submitted(store: AnnotationStore) -> None:
    for reader in ("", " ", "a\nb", "x" * 201):
        with pytest.raises(CaseError, match="field reader"):
            store.submit(document(), reader)
    for kind in ("withdrawal", "guess"):
        with pytest.raises(CaseError, match="field kind"):
            store.submit(document(), "reader-a", kind=kind)
    region = document().regions[0]
    with pytest.raises(CaseError, match=r"regions\[0\].score"):
        store.submit(replace(document(), regions=(replace(region, score=7.0),)), "reader-a")
    with pytest.raises(NoVersionError, match="no annotation yet"):
        store.withdraw("ct-1", "reader-a")
    assert store.cases() == []


def test_a_disk_that_cannot_be_written_is_a_sentence(store: AnnotationStore, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = store.submit(document(), "reader-a")

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full_disk)
        with pytest.raises(StorageError, match="No space left on device"):
            store.submit(document(label="irrelevant"), "reader-b")
    assert store.versions("ct-1") == [kept]
    assert store.submit(document(label="irrelevant"), "reader-b").version == 2


def test_without_hard_links_numbers_are_unique_too(store: AnnotationStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(source: object, target: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", no_links)
    readers = [f"reader-{i}" for i in range(12)]
    with ThreadPoolExecutor(12) as pool:
        made = list(pool.map(lambda name: store.submit(document(reader=name), name), readers))
    assert sorted(v.version for v in made) == list(range(1, 13))


def _submit_many(folder: Path, reader: str, count: int) -> None:
    store = AnnotationStore(folder)
    for i in range(count):
        store.submit(document(reader=reader, notes=[f"{reader} {i}"]), reader)


def test_threads_and_processes_at_once_lose_nothing(store: AnnotationStore) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_submit_many, args=(store.studies, f"p{i}", 8)) for i in range(3)]
    for process in processes:
        process.start()
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda i: _submit_many(store.studies, f"t{i}", 8), range(6)))
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    versions = store.versions("ct-1")
    assert [v.version for v in versions] == list(range(1, 73))
    assert sorted(v.document.notes[0] for v in versions) == sorted(
        f"{who}{i} {n}" for who, count in (("p", 3), ("t", 6)) for i in range(count) for n in range(8)
    )
    assert all(v.document.notes[0].startswith(v.reader) for v in versions)
    assert label(store) == versions[-1].document


readers = st.sampled_from(["a", "b", "c"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("reader"), readers),
        st.tuples(st.just("adjudication"), readers),
        st.tuples(st.just("withdrawal"), readers),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(steps=steps)
def test_whatever_the_order_all_is_kept_and_the_rule_holds(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    store = AnnotationStore(tmp_path_factory.mktemp("order"))
    current: dict[str, str] = {}
    settled: str | None = None
    newest: str | None = None
    kept: list[tuple[str, str]] = []
    for number, (kind, reader) in enumerate(steps):
        if kind == "withdrawal":
            if newest is None:
                with pytest.raises(NoVersionError):
                    store.withdraw("ct-1", reader)
                continue
            store.withdraw("ct-1", reader)
            kept.append((kind, reader))
            current, settled, newest = {}, None, None
        else:
            note = str(number)
            store.submit(document(notes=[note]), reader, kind=kind)
            kept.append((kind, reader))
            current[reader] = newest = note
            settled = note if kind == "adjudication" else settled
        counting = store.counting("ct-1")
        expected = settled or newest
        assert (counting.document.notes[0] if counting else None) == expected
        path = store.studies / FINAL_LABELS / "ct-1.json"
        assert (label(store).notes[0] if path.exists() else None) == expected
        assert {name: v.document.notes[0] for name, v in store.current("ct-1").items()} == current
    assert [(v.kind, v.reader) for v in store.versions("ct-1")] == kept
    assert [v.version for v in store.versions("ct-1")] == list(range(1, len(kept) + 1))
    shutil.rmtree(store.studies)


def test_the_labels_lie_where_phantoms_put_them() -> None:
    assert FINAL_LABELS == FINAL_LABELS


@given(st.text(max_size=220))
def test_a_plain_name_is_one_entry_of_a_folder(name: str) -> None:
    if is_plain_name(name):
        assert os.path.normpath(Path("folder") / name) == f"folder/{name}"
        assert len(os.fsencode(f".{name}.json-abcdefgh")) < 255


def test_nested_ids_are_plain_stable_and_keep_a_patient_on_one_side() -> None:
    paths = [Path(f"Doe, J..{i}/study {k}/CT") for i in range(40) for k in range(3)]
    ids = [nested_id(path) for path in paths]
    assert len(set(ids)) == len(ids) and all(map(is_plain_name, ids))
    patients = {name.rsplit("_t", 1)[0] for name in ids}
    assert len(patients) == 40
    assert nested_id(Path("p/s/CT")) == "p_t1974017123"
    assert is_plain_name(nested_id(Path("../../..")))
    assert is_plain_name(nested_id(Path("é" * 120) / "x"))
    assert nested_id(Path("é" * 120 + ".nii.gz")).startswith("é" * 50 + "_t")
    assert {side_of("p")} == {side_of(nested_id(Path(f"p/{n}")).rsplit("_t", 1)[0]) for n in range(5)}


WRITER = """
import itertools, sys
from dataclasses import replace
from pathlib import Path
from pneumoscreen.case import Case
from pneumoscreen.studies.annotations import AnnotationStore
store, tag = AnnotationStore(Path(sys.argv[1])), sys.argv[2]
base = Case.from_json(Path(sys.argv[3]).read_text(encoding="utf-8"))
print("ready", flush=True)
for i in itertools.count():
    case_id = f"ct-{i % 3}"
    made = store.submit(replace(base, case_id=case_id, notes=(f"{tag} {i}",)), f"reader-{i % 2}")
    print(case_id, made.version, tag, i, flush=True)
"""


def _kill_writers(folder: Path, kills: int) -> int:
    """Kill writers at random moments; returns how many submissions they had been told were accepted."""
    store, dice = AnnotationStore(folder / "studies"), random.Random(7)
    (folder / "base.json").write_text(document().to_json(), encoding="utf-8")
    accepted: dict[tuple[str, int], str] = {}
    for kill in range(kills):
        command = [sys.executable, "-c", WRITER, str(store.studies), f"w{kill}", str(folder / "base.json")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(dice.uniform(0.0, 0.4))
        process.kill()
        output = process.stdout.read()
        process.stdout.close()
        process.wait(30)
        for line in output.splitlines(keepends=True):
            if line.endswith("\n"):  # what was not printed to its end was not acknowledged
                case_id, version, *note = line.split()
                accepted[case_id, int(version)] = " ".join(note)
        store.repair()
        for case_id in store.cases():
            counting = store.counting(case_id)
            assert counting is not None and label(store, case_id) == counting.document
    kept = {(v.case_id, v.version): v.document.notes[0] for c in store.cases() for v in store.versions(c)}
    assert accepted.items() <= kept.items()
    # At most the one submission in flight is there beyond those of which a writer heard.
    assert len(kept) - len(accepted) <= kills
    print(f"{kills} kills, {len(accepted)} accepted submissions kept, {len(kept)} versions")
    return len(accepted)


def test_a_killed_writer_loses_nothing_accepted(tmp_path: Path) -> None:
    assert _kill_writers(tmp_path, QUICK_KILLS) > 5


@pytest.mark.slow
def test_two_hundred_killed_writers_lose_nothing_accepted(tmp_path: Path) -> None:
    assert _kill_writers(tmp_path, KILLS) > 100


def test_errors_are_sentences_for_users() -> None:
    assert issubclass(ConflictError, PneumoScreenError) and issubclass(StorageError, PneumoScreenError)

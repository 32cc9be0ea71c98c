"""A scan that is written anew in its place is another scan: noticed by the watch, and nothing of the old one stays."""

import os
from dataclasses import replace
from pathlib import Path

from pneumoscreen.active_learning.score_file import ScoreStore, StoredScore
from pneumoscreen.case import ModelInfo
from pneumoscreen.server.inference.engine import scan_state
from pneumoscreen.server.store.datastore import StudiesDatastore
from pneumoscreen.server.store.hand_labels import HandLabels
from pneumoscreen.server.store.screenings import keep_screening, last_screening, masks_file, report_file
from pneumoscreen.server.work.folder_watch import FolderWatch, RewrittenImages
from pneumoscreen.verdict import DEFAULT_CLASSES

from ...studies.conftest import document

MODELS = {"ct_classifier": ModelInfo(1, "0" * 64)}


def overwrite(path: Path, content: bytes) -> None:
    """Write into a file as ``cp`` does, so that its folder does not change; half a minute later than before."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 30 * 10**9))


def none_more(path: Path) -> tuple[Path, ...]:
    return ()


def test_files_of_the_same_size_are_told_apart_and_a_look_has_an_end(tmp_path: Path) -> None:
    places = {name: tmp_path / name for name in "abcde"}
    for path in places.values():
        path.write_bytes(b"one")
    (tmp_path / "f").mkdir()
    places["f"] = tmp_path / "f"
    (tmp_path / "f" / "slice").write_bytes(b"one")
    images = RewrittenImages(ScoreStore(tmp_path / "scores"), files_a_look=4)
    for _ in range(6):
        assert images.look(places, none_more) == []
    overwrite(tmp_path / "e", b"two")
    overwrite(tmp_path / "f" / "slice", b"two")
    looks = [images.look(places, none_more) for _ in range(3)]
    assert sorted(name for found in looks for name in found) == ["e", "f"]
    assert [] in looks, "not all of them were asked at once"
    assert [images.look(places, none_more) for _ in range(3)] == [[], [], []]
    (tmp_path / "e").unlink()
    assert [images.look(places, none_more) for _ in range(3)] == [[], [], []], "the search tells what is gone"


def test_a_score_of_other_files_is_found_at_the_first_look(tmp_path: Path) -> None:
    scores, path = ScoreStore(tmp_path / "scores"), tmp_path / "a.nii.gz"
    path.write_bytes(b"one")
    scores.put(StoredScore("a", None, MODELS, scan_state(path), error="damaged"))
    assert RewrittenImages(scores).look({"a": path}, none_more) == []
    overwrite(path, b"two")
    assert RewrittenImages(scores).look({"a": path}, none_more) == ["a"]


def test_the_watch_drops_what_was_screened_and_waits_until_the_file_rests(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.nii.gz").write_bytes(b"one")
    datastore, scores = StudiesDatastore(str(tmp_path)), ScoreStore(tmp_path / ".pneumoscreen" / "scores")
    work, ahead = datastore.work_folder, 100.0
    datastore._files._now = lambda: max(p.stat().st_ctime for p in tmp_path.glob("*.nii.gz")) + ahead
    datastore.wait_for_copies()
    datastore.refresh()
    watch = FolderWatch(datastore, HandLabels(datastore), scores)
    for name in ("a", "b"):
        keep_screening(work, replace(document(), case_id=name), None)
        scores.put(StoredScore(name, None, MODELS, scan_state(tmp_path / f"{name}.nii.gz"), error="damaged"))
        for file in (report_file(work, name), masks_file(work, name)):
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(b"x")
    stored = datastore.submit("a", replace(document(), case_id="a").to_json().encode())
    watch.look()
    assert scores.get("a") is not None
    ahead = 1.0
    overwrite(tmp_path / "a.nii.gz", b"two")
    watch.look()
    assert (scores.get("a"), last_screening(work, "a", DEFAULT_CLASSES)) == (None, None)
    assert not report_file(work, "a").exists()
    assert not masks_file(work, "a").exists()
    assert datastore.list_images() == ["b"], "somebody may still be writing it"
    assert datastore.is_being_copied("a")
    ahead = 100.0
    watch.look()
    assert sorted(datastore.list_images()) == ["a", "b"]
    assert scores.get("b") is not None
    assert report_file(work, "b").exists()
    assert datastore.submissions.store.versions("a") == [stored], "a reader's word stays"

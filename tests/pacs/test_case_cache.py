"""The cache of a server on a PACS: within its limit, never without what is in use, whichever process uses it."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pneumoscreen.errors import Cancelled
from pneumoscreen.pacs.case_cache import CaseCache
from pneumoscreen.pacs.faults import CacheFullError, PacsAwayError

ROOM = 1000


class Filling:
    """Brings 400 bytes in two files, and counts how often."""

    def __init__(self, size: int = 200) -> None:
        self.count, self.size = 0, size

    def __call__(self, folder: Path, tell) -> None:
        self.count += 1
        assert not list(folder.glob("*.dcm"))
        for number in range(2):
            (folder / f"{number}.dcm").write_bytes(bytes(self.size))
            tell(number + 1, self.size * (number + 1))


def cache_of(folder: Path, most: int = ROOM) -> CaseCache:
    for name in "abc":
        (folder / name).mkdir(exist_ok=True)
        (folder / name / ".images").write_text("0")
    (folder / "made").mkdir(exist_ok=True)
    return CaseCache(
        folder / "pins", lambda case: folder / case, lambda case: (folder / "made").glob(f"{case}.*"), most
    )


def images(folder: Path) -> dict[str, int]:
    return {name: len(list((folder / name).glob("*.dcm"))) for name in "abc"}


def test_a_case_is_fetched_once_and_again_when_it_is_another(tmp_path: Path) -> None:
    cache, fill = cache_of(tmp_path), Filling()
    for state, count in (("0", 1), ("0", 1), ("1", 2)):
        with cache.held("a", state, fill) as folder:
            assert folder == tmp_path / "a" and images(tmp_path)["a"] == 2
        assert fill.count == count
    assert cache.size == 400
    assert (tmp_path / "a" / ".images").is_file()


def test_what_was_not_used_for_longest_goes_with_what_was_made_of_it(tmp_path: Path) -> None:
    cache, fill = cache_of(tmp_path), Filling()
    for number, name in enumerate("ab"):
        with cache.held(name, "0", fill):
            pass
        os.utime(tmp_path / "pins" / name, (number, number))
    (tmp_path / "made" / "a.1.nrrd").write_bytes(bytes(50))
    with cache.held("a", "0", fill):
        pass
    assert cache.size == 850
    with cache.held("c", "0", fill):
        assert images(tmp_path) == {"a": 2, "b": 0, "c": 2}
    os.utime(tmp_path / "pins" / "a", (0, 0))
    with cache.held("b", "0", fill):
        assert images(tmp_path) == {"a": 0, "b": 2, "c": 2}
    assert not list((tmp_path / "made").iterdir())
    assert cache.size == 800


def test_what_is_in_use_stays_and_what_does_not_fit_is_a_sentence(tmp_path: Path) -> None:
    cache, other, fill = cache_of(tmp_path), cache_of(tmp_path), Filling()
    with cache.held("a", "0", fill), other.held("b", "0", fill):
        with (
            pytest.raises(CacheFullError, match="take more than the 1e-06 GB of --cache-gb; raise it"),
            other.held("c", "0", fill),
        ):
            pass
        assert images(tmp_path) == {"a": 2, "b": 2, "c": 0}
        assert cache.size == 800
    with other.held("c", "0", fill):
        assert cache.size == 800
    with pytest.raises(CacheFullError), cache.held("a", "0", Filling(2 * ROOM)):
        pass
    assert cache.size <= ROOM and images(tmp_path)["a"] == 0


def test_what_is_made_of_images_counts(tmp_path: Path) -> None:
    cache, fill = cache_of(tmp_path), Filling()
    with cache.held("a", "0", fill):
        pass
    os.utime(tmp_path / "pins" / "a", (0, 0))
    with cache.held("b", "0", fill):
        (tmp_path / "made" / "b.1.nrrd").write_bytes(bytes(300))
    assert images(tmp_path) == {"a": 0, "b": 2, "c": 0} and cache.size == 700


def test_a_case_that_became_another_one_waits_for_those_who_use_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pneumoscreen.pacs.case_cache._LONGEST_S", 0.0)
    fill = Filling()
    with cache_of(tmp_path).held("a", "0", fill):
        with (
            pytest.raises(CacheFullError, match="became others, and those of before are still in use"),
            cache_of(tmp_path).held("a", "1", fill),
        ):
            pass
        assert images(tmp_path)["a"] == 2
    with cache_of(tmp_path).held("a", "1", fill):
        assert fill.count == 2


def test_a_fetch_that_fails_leaves_nothing(tmp_path: Path) -> None:
    cache = cache_of(tmp_path)

    def breaks(folder: Path, tell) -> None:
        (folder / "0.dcm").write_bytes(bytes(100))
        (folder / ".part").write_bytes(bytes(100))
        raise PacsAwayError("away")

    with pytest.raises(PacsAwayError), cache.held("a", "0", breaks):
        pass
    assert [path.name for path in (tmp_path / "a").iterdir()] == [".images"] and cache.size == 0
    with cache.held("a", "0", Filling()):
        assert images(tmp_path)["a"] == 2


def test_files_that_come_again_are_the_same(tmp_path: Path) -> None:
    cache = cache_of(tmp_path)
    times = []
    for state in "01":
        with cache.held("a", state, Filling()) as folder:
            times.append({path.name: path.stat().st_mtime_ns for path in folder.glob("*.dcm")})
    assert times[0] == times[1]


def test_two_who_want_a_case_have_it_fetched_once(tmp_path: Path) -> None:
    fill, begun, may_end = Filling(), threading.Event(), threading.Event()

    def slowly(folder: Path, tell) -> None:
        begun.set()
        assert may_end.wait(60)
        fill(folder, tell)

    def want() -> None:
        with cache_of(tmp_path).held("a", "0", slowly):
            pass

    threads = [threading.Thread(target=want) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert begun.wait(60)

    def give_up() -> None:
        raise Cancelled

    with pytest.raises(Cancelled), cache_of(tmp_path).held("a", "0", fill, give_up):
        pass
    may_end.set()
    for thread in threads:
        thread.join()
    assert fill.count == 1


USES = """
import sys, time
from pathlib import Path
from tests.pacs.test_case_cache import Filling, cache_of
with cache_of(Path(sys.argv[1])).held("a", "0", Filling()):
    print("holds", flush=True)
    time.sleep(600)
"""


def test_a_case_that_another_process_uses_stays_until_that_ends(tmp_path: Path) -> None:
    cache, fill = cache_of(tmp_path), Filling(300)
    process = subprocess.Popen(
        [sys.executable, "-c", USES, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == b"holds\n"
        with pytest.raises(CacheFullError), cache.held("b", "0", fill), cache.held("c", "0", fill):
            pass
        assert images(tmp_path)["a"] == 2
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with cache.held("b", "0", Filling(450)):
        assert images(tmp_path) == {"a": 0, "b": 2, "c": 0}

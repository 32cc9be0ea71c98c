"""The cache keeps whole series and stays within its bytes."""

from pathlib import Path

import pytest

from pneumoscreen.pacs.cache import SeriesCache
from pneumoscreen.pacs.client import Access, Pacs, PacsAwayError
from pneumoscreen.pacs.selection import Candidate


class Counting(Pacs):
    """A PACS that gives each series as twenty files of a thousand bytes; ``short`` are left out."""

    short = 0
    fetched = 0

    def fetch(self, study_uid: str, series_uid: str, folder: Path, instance_uid: str | None = None) -> int:
        self.fetched += 1
        for number in range(20 - self.short):
            (folder / f"{number}.dcm").write_bytes(bytes(1000))
        return 20 - self.short


@pytest.fixture
def pacs() -> Counting:
    return Counting(Access("http://127.0.0.1:9"))


def series(number: int, instances: int = 20) -> tuple[str, Candidate]:
    return f"1.2.{number}", Candidate(f"1.2.{number}.1", None, instances)


def test_a_series_is_fetched_once_and_again_when_it_has_grown(pacs: Counting, tmp_path: Path) -> None:
    cache = SeriesCache(tmp_path, 10**9)
    first = cache.fetch(pacs, *series(1))
    assert cache.fetch(pacs, *series(1)) == first and pacs.fetched == 1
    assert len(list(first.iterdir())) == 20
    assert cache.fetch(pacs, *series(1, instances=15)) != first and pacs.fetched == 2


def test_the_longest_unused_go_first_and_the_one_in_use_stays(pacs: Counting, tmp_path: Path) -> None:
    cache = SeriesCache(tmp_path, 45_000)
    first, second = cache.fetch(pacs, *series(1)), cache.fetch(pacs, *series(2))
    cache.fetch(pacs, *series(1))
    third = cache.fetch(pacs, *series(3))
    assert first.exists() and third.exists() and not second.exists() and cache.size == 40_000
    tight = SeriesCache(tmp_path, 0)
    last = tight.fetch(pacs, *series(4))
    assert list(tmp_path.iterdir()) == [last] and len(list(last.iterdir())) == 20


def test_half_a_series_is_none(pacs: Counting, tmp_path: Path) -> None:
    pacs.short = 1
    with pytest.raises(PacsAwayError, match="the PACS sent 19 of 20 images of a series; it is asked again"):
        SeriesCache(tmp_path, 10**9).fetch(pacs, *series(1))
    (tmp_path / "killed.part").mkdir(exist_ok=True)
    SeriesCache(tmp_path, 10**9)
    assert list(tmp_path.iterdir()) == []
    pacs.short = 0
    assert SeriesCache(tmp_path, 10**9).fetch(pacs, *series(1)).is_dir()

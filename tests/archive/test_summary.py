"""Table and page of a manifest."""

import base64
import csv
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from pneumoscreen.archive.command import progress_line
from pneumoscreen.archive.manifest import REFUSED, SCREENED, Manifest, Row
from pneumoscreen.archive.run import Tally
from pneumoscreen.archive.summary import page_of, write_summary

EVIL = "</script><script>alert(1)</script>.nii.gz"


@pytest.fixture
def manifest(tmp_path: Path) -> Iterator[Manifest]:
    made = Manifest(tmp_path)
    run = made.begin_run()
    for number, infection in enumerate((0.05, 0.97, 1.0)):
        made.put(
            Row(
                f"k{number}",
                f"a/{number}.nii.gz",
                "CT",
                "s",
                SCREENED,
                case_id=f"c {number}",
                folder="cases/ab",
                words="COVID-19" if infection > 0.5 else "No infection found",
                infection=infection,
                decided=True,
                seconds=1.0 + number,
                seen=run,
            )
        )
    made.put(Row("k3", EVIL, "CT", "s", REFUSED, "=1+1 is empty", "DamagedError", seen=run))
    made.put(Row("k4", "gone.nii.gz", "CT", "s", REFUSED, "is another kind", "NotCTError", seen=0))
    made.end_search(run)
    yield made
    made.close()


def test_the_page_counts_what_is_there(manifest: Manifest) -> None:
    page = page_of(manifest)
    assert (page.total, page.gone) == (5, 1)
    assert page.states == [("Screened", 3), ("Refused", 2)]
    assert [(name, count) for _, name, count, _ in page.verdicts] == [("COVID-19", 2), ("No infection found", 1)]
    ((_, bars),) = page.infections
    assert [count for _, count, _ in bars] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert page.kinds == [("Damaged", 1, "=1+1 is empty"), ("Not CT", 1, "is another kind")]
    assert page.seconds is not None
    assert (page.seconds.median, page.seconds.longest) == (2.0, 3.0)
    # What was not screened comes first, then what is likeliest an infection.
    assert [row[0] for row in page.rows] == [EVIL, "gone.nii.gz", "a/2.nii.gz", "a/1.nii.gz", "a/0.nii.gz"]
    assert page.rows[2][5] == "cases/ab/c%202.html"


def test_no_text_of_a_name_runs(manifest: Manifest, tmp_path: Path) -> None:
    write_summary(manifest, tmp_path)
    page = (tmp_path / "archive.html").read_text(encoding="utf-8")
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 2
    assert json.loads(scripts[0][1])[0][0] == EVIL
    digest = base64.b64encode(hashlib.sha256(scripts[1][1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    table = list(csv.reader((tmp_path / "images.csv").open(encoding="utf-8")))
    assert any("'=1+1 is empty" in row for row in table)


def test_progress_tells_rate_and_time_left() -> None:
    tally = Tally(found=100, before=40, screened=10, begun=0.0)
    assert progress_line(tally, 60.0) == "50 of 100 found so far, 10.0 a minute"
    tally.is_all_found = True
    assert progress_line(tally, 60.0) == "50 of 100, 10.0 a minute, about 5 min left"

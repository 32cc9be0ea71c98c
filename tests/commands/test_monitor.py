"""``pneumoscreen monitor``: page and figures, hashed readers, and mistakes in a sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..monitoring.clinic import INFECTED, Clinic, read, region, scan, simulated


def test_page_and_figures_are_written_and_the_advice_is_printed(run: Callable[..., Any], tmp_path: Path) -> None:
    simulated(tmp_path / "studies", 60)
    ended = run("monitor", tmp_path / "studies", "--out", tmp_path / "out", "--cases", 20)
    assert ended.status == 0, ended.err
    figures = json.loads((tmp_path / "out" / "monitoring.json").read_text(encoding="utf-8"))
    (ct,) = figures["modalities"]
    assert ended.out.startswith(f"CT: {ct['recommendation']['words']}.")
    assert [row["name"] for row in ct["agreement"]["by_period"]] == ["1 to 20", "21 to 40", "41 to 48"]
    assert {row["name"] for row in ct["agreement"]["by_reader"]} == {"dr-ann", "dr-bob"}
    assert figures["source"] == "studies folder studies"
    page = (tmp_path / "out" / "monitoring.html").read_text(encoding="utf-8")
    assert "Research use only" in page and ct["recommendation"]["words"] in page


def test_readers_are_hashed_on_request_the_same_way_each_time(run: Callable[..., Any], tmp_path: Path) -> None:
    clinic = Clinic.at(tmp_path / "studies")
    clinic.submit(read(clinic.screen(scan("a", (region("r1", INFECTED),))), "dr-ann", INFECTED), "dr-ann")
    first, second = (
        run("monitor", clinic.folder, "--out", tmp_path / "out", "--anonymous", "--json").out for _ in range(2)
    )
    assert first == second and "dr-ann" not in first and "studies folder" not in first.replace("a studies folder", "")
    (name,) = [row["name"] for row in json.loads(first)["modalities"][0]["agreement"]["by_reader"]]
    assert name.startswith("reader-")
    assert "dr-ann" not in (tmp_path / "out" / "monitoring.html").read_text(encoding="utf-8")


def test_an_empty_folder_says_so(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    ended = run("monitor", tmp_path / "studies", "--out", tmp_path / "out")
    assert (ended.status, ended.out) == (
        0,
        "Nothing has been submitted or screened here yet: there is nothing to compare.\n",
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("{tmp}/absent",), "absent: the studies folder does not exist"),
        (("{tmp}", "--newest", "29"), "--newest"),
        (("{tmp}", "--cases", "0"), "--cases"),
    ],
)
def test_mistakes_are_said(run: Callable[..., Any], tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    ended = run("monitor", *(word.format(tmp=tmp_path) for word in words), "--out", tmp_path / "out")
    assert ended.status == 2
    assert said in " ".join(ended.err.split())

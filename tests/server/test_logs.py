"""The log's form and where it goes."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from pneumoscreen.server.failures import ServeError
from pneumoscreen.server.logs import FORMAT_VARIABLE, LogChoice, LogFormat, kept_log, set_up_log

logger = logging.getLogger("pneumoscreen.test")


@pytest.fixture(autouse=True)
def _restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The log of the test run comes back."""
    monkeypatch.setenv(FORMAT_VARIABLE, "text")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []  # those of the test run are not closed
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = handlers, level


def test_a_line_of_json_is_one_line_whatever_is_said(tmp_path: Path) -> None:
    set_up_log(LogChoice(LogFormat.JSON, tmp_path / "server.log"))
    logger.warning("two\nlines and \N{SNOWMAN}", extra={"about": {"job": "a1", "seconds": 1.5}})
    try:
        raise ValueError("why\nnot")
    except ValueError:
        logger.exception("a fault")
    logging.getLogger("another").info("nobody wants it")
    first, second = map(json.loads, (tmp_path / "server.log").read_text(encoding="utf-8").splitlines())
    assert first.pop("at").endswith("Z")
    assert first == {
        "level": "warning",
        "logger": "pneumoscreen.test",
        "message": "two\nlines and \N{SNOWMAN}",
        "job": "a1",
        "seconds": 1.5,
    }
    assert second["message"] == "a fault" and second["exception"].endswith("ValueError: why\nnot")
    kept = kept_log()
    assert kept is not None
    assert "WARNING pneumoscreen.test: two" in kept.text(0), "people who ask the server read text"


def test_a_file_that_is_large_is_set_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    set_up_log(LogChoice(file=tmp_path / "server.log", megabytes=1, files=2))
    for number in range(45):
        logger.info("%02d %s", number, "x" * 100_000)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes.keys() == {"server.log", "server.log.1", "server.log.2"}
    assert max(sizes.values()) <= 1 << 20
    assert " 44 xxx" in (tmp_path / "server.log").read_text(encoding="utf-8")


def test_a_log_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match=r"nowhere/server\.log cannot be written .*--log-file"):
        set_up_log(LogChoice(file=tmp_path / "nowhere" / "server.log"))

"""Which results of a server go to its PACS, and what is caught up with after a restart."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.pacs.conftest import film_case

from pneumoscreen.pacs.choices import Send
from pneumoscreen.pacs.client import Access, Pacs
from pneumoscreen.pacs.results_queue import ResultsQueue
from pneumoscreen.pacs.settings import FOLDER, PacsSettings, take_state
from pneumoscreen.server.store.results import Results
from pneumoscreen.studies.annotations import AnnotationStore
from pneumoscreen.verdict import DEFAULT_CLASSES

URL = "http://127.0.0.1:9/dicom-web"


def results_of(state: Path, send: Send, now: str = "2020-01-01T00:00:00.000Z") -> Results:
    settings = take_state(state, PacsSettings(URL, send=send), now)
    return Results(state, settings, Pacs(Access(URL)))


def entered(state: Path) -> list[tuple[str, int, str]]:
    return [(result.case_id, result.version, result.reader) for result in ResultsQueue(state / FOLDER).open()]


@pytest.mark.parametrize(
    ("send", "wanted"),
    [
        (Send.NONE, []),
        (Send.SUBMITTED, [("film", 1, "reader-a")]),
        (Send.ALL, [("film", 0, ""), ("film", 1, "reader-a")]),
    ],
)
def test_what_is_entered(send: Send, wanted: list[tuple[str, int, str]], tmp_path: Path) -> None:
    results = results_of(tmp_path / "state", send)
    results.screened(film_case(), DEFAULT_CLASSES)
    results.submitted(AnnotationStore(tmp_path / "state").submit(film_case(), "reader-a"))
    assert entered(tmp_path / "state") == wanted
    assert results.status()["waiting"] == len(wanted)
    assert (results.marked_file("film") is None) is (send is Send.NONE)


def test_a_restarted_server_enters_what_the_last_one_could_not(tmp_path: Path) -> None:
    state = tmp_path / "state"
    results_of(state, Send.NONE)
    store = AnnotationStore(state)
    store.submit(film_case(), "reader-a")
    results = results_of(state, Send.SUBMITTED, "2020-01-01T00:00:00.000Z")
    store.submit(replace(film_case(), diagnosis="healthy"), "reader-b")
    results._catch_up()
    results._catch_up()
    assert entered(state) == [("film", 1, "reader-a"), ("film", 2, "reader-b")]
    store.withdraw("film", "reader-b")
    results._catch_up()
    assert len(entered(state)) == 2


def test_what_was_submitted_before_anybody_asked_for_it_stays_here(tmp_path: Path) -> None:
    state = tmp_path / "state"
    results_of(state, Send.NONE)
    AnnotationStore(state).submit(film_case(), "reader-a")
    results = results_of(state, Send.SUBMITTED, "2999-01-01T00:00:00.000Z")
    results._catch_up()
    assert entered(state) == []

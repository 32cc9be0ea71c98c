"""A server that is killed under submissions: it starts again, and nothing that it acknowledged is lost."""

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests

from pneumoscreen.case import Case
from pneumoscreen.server.client import ServerError
from pneumoscreen.studies.annotations import AnnotationStore
from pneumoscreen.studies.layout import FINAL_LABELS

from ..studies.conftest import document
from .conftest import RunningServer, serving

CASES = ("a", "b", "c")
CLIENTS = 4
KILLS, QUICK_KILLS = 15, 1


def _submit_until_it_dies(address: str, client: int, round_number: int, accepted: dict[tuple[str, int], str]) -> None:
    reader = f"reader-{client}"
    for number in range(10_000):
        case_id, note = CASES[number % len(CASES)], f"{round_number} {client} {number}"
        text = document(case_id, reader=reader, notes=[note]).to_json()
        try:
            if number % 2:
                url = f"{address}/pneumoscreen/annotations/{case_id}"
                answer = requests.put(url, data=text, params={"reader": reader}, timeout=30)
            else:
                form = {"params": json.dumps({"reader": reader})}
                where = {"image": case_id, "tag": "final"}
                files = {"label": ("case.json", text)}
                answer = requests.put(f"{address}/datastore/label", params=where, files=files, data=form, timeout=30)
        except requests.RequestException:
            return
        assert answer.status_code == 200, answer.text
        accepted[case_id, answer.json()["version"]] = note


def _kill_servers(studies: Path, models: Path, folders: pytest.TempPathFactory, kills: int) -> int:
    """Kill a server ``kills`` times under submissions; returns how many it had acknowledged."""
    for case_id in CASES:
        (studies / f"{case_id}.nii.gz").write_bytes(b"a scan that nobody opens")
    dice, accepted = random.Random(3), dict[tuple[str, int], str]()
    for round_number in range(kills + 1):
        with _started(studies, models, folders) as server:
            index = server.client.get("/datastore/?output=all").json()
            assert set(index["objects"]) == set(CASES)
            _check(studies, accepted)
            if round_number == kills:
                break
            clients = [
                threading.Thread(
                    target=_submit_until_it_dies, args=(server.client.address, client, round_number, accepted)
                )
                for client in range(CLIENTS)
            ]
            for client in clients:
                client.start()
            time.sleep(dice.uniform(0.3, 3.0))
            server.process.kill()
            server.process.wait(30)
            for client in clients:
                client.join(60)
    _check(studies, accepted)
    return len(accepted)


@contextmanager
def _started(studies: Path, models: Path, folders: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that starts after a kill; if it does not, its log says why."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(serving(studies, models, folders))
        except ServerError as error:
            logs = sorted(folders.getbasetemp().glob("log*/server.log"), key=lambda path: path.stat().st_mtime)
            pytest.fail(f"{error}; its log ends: {logs[-1].read_text(encoding='utf-8')[-3000:]}")
        yield server


def _check(studies: Path, accepted: dict[tuple[str, int], str]) -> None:
    store = AnnotationStore(studies)
    kept = {(v.case_id, v.version): v.document.notes[0] for case in CASES for v in store.versions(case)}
    assert accepted.items() <= kept.items()
    for case_id in store.cases():
        label = (studies / FINAL_LABELS / f"{case_id}.json").read_text(encoding="utf-8")
        counting = store.counting(case_id)
        assert counting is not None and Case.from_json(label) == counting.document


def test_a_killed_server_loses_nothing_accepted(
    tmp_path: Path, model_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert _kill_servers(tmp_path, model_root, tmp_path_factory, QUICK_KILLS) > 5


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fifteen_killed_servers_lose_nothing_accepted(
    tmp_path: Path, model_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    accepted = _kill_servers(tmp_path, model_root, tmp_path_factory, KILLS)
    print(f"{KILLS} kills, {accepted} accepted submissions kept")
    assert accepted > 100

"""Kills under a server on a PACS: of the PACS while images come, of the server while results go."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from scripts.orthanc import Orthanc

from pneumoscreen.images.volume import Volume
from pneumoscreen.pacs.cases import PacsCases
from pneumoscreen.pacs.client import Access, Pacs, PacsError
from pneumoscreen.pacs.settings import PacsSettings
from pneumoscreen.pacs.uids import uid_of

from ..conftest import copied_models
from ..on_pacs import image_id_of, needs_orthanc, orthanc_with, serving_pacs

pytestmark = needs_orthanc
NAMES = ("first", "second", "third")
LIMIT_S = 400.0
RESULTS = Counter({"SEG": 1, "SR": 1, "DOC": 1, "OT": 1})


@pytest.fixture(scope="module")
def orthanc(phantom: Volume, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    volumes = {f"patient-{number}": replace(phantom, case_id=name) for number, name in enumerate(NAMES, 1)}
    with orthanc_with(tmp_path_factory.mktemp("orthanc"), volumes) as running:
        yield running


def image(name: str, phantom: Volume) -> str:
    return image_id_of(replace(phantom, case_id=name))


def kinds(orthanc: Orthanc, name: str) -> Counter[str]:
    found = orthanc.instances(uid_of(name, "study"))
    return Counter(str(tags["Modality"]) for tags in found if tags["Modality"] != "CT")


def test_a_pacs_killed_while_images_come_costs_a_wait(orthanc: Orthanc, phantom: Volume, tmp_path: Path) -> None:
    chance, stop = random.Random(5), threading.Event()
    settings = PacsSettings(orthanc.dicomweb, days=0, quiet_s=0.0)
    cases = PacsCases(tmp_path, settings, pacs=Pacs(Access(orthanc.dicomweb), retries=0), pause=lambda seconds: None)
    cases.look()

    def kill_often() -> None:
        while not stop.wait(chance.uniform(0.05, 0.3)):
            orthanc.kill()
            orthanc.start()

    killer = threading.Thread(target=kill_often)
    killer.start()
    failures, end = 0, time.monotonic() + LIMIT_S
    try:
        for name in NAMES:
            while time.monotonic() < end:
                try:
                    with cases.held(image(name, phantom)) as folder:
                        assert len(list(folder.glob("*.dcm"))) == 30
                    break
                except PacsError:
                    failures += 1
                    assert not list(cases.folder(image(name, phantom)).glob("*.dcm"))
    finally:
        stop.set()
        killer.join()
    assert len(list(tmp_path.glob("*/*.dcm"))) == 90, failures


@pytest.mark.slow
def test_a_server_killed_while_results_go_sends_each_once(
    orthanc: Orthanc, model_root: Path, phantom: Volume, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance, models = random.Random(7), copied_models(model_root, tmp_path / "models")

    def serve(wait_s: float, work) -> None:
        options = ("--send-results", "submitted")
        with serving_pacs(orthanc.dicomweb, tmp_path / "state", models, tmp_path_factory, *options) as server:
            work(server)
            time.sleep(wait_s)
            server.process.kill()

    def read_all(server) -> None:
        assert server.client.wait_until_offered([image(name, phantom) for name in NAMES], LIMIT_S)
        for name in NAMES:
            document = server.client.infer("ct_screening", image(name, phantom), output="json").document
            place = f"{server.client.address}/pneumoscreen/annotations/{image(name, phantom)}"
            assert requests.put(place, json=document, params={"reader": "reader-a"}, timeout=60).status_code == 200

    serve(chance.uniform(0.0, 3.0), read_all)
    for _ in range(4):
        serve(chance.uniform(0.5, 6.0), lambda server: None)

    def wait(server) -> None:
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end and any(kinds(orthanc, name) != RESULTS for name in NAMES):
            time.sleep(0.5)

    serve(2.0, wait)
    assert {name: kinds(orthanc, name) for name in NAMES} == dict.fromkeys(NAMES, RESULTS)

"""The reader's loop by REST alone: next case, screen, correct, submit, train, publish by hand, screen again, roll back.

The scans are phantoms whose truth plays the reader; the networks are narrow, so that a training takes seconds.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import SimpleITK as sitk

from pneumoscreen.case import Case
from pneumoscreen.ct.phantoms.phantom import Phantom, PhantomSpec, generate_phantom
from pneumoscreen.ct.phantoms.studies import truth_document
from pneumoscreen.studies.split import Side, side_of

from .conftest import RunningServer, copied_models, serving
from .on_pacs import image_id_of, needs_orthanc, orthanc_with, patient_on, serving_pacs

SPEC = PhantomSpec(matrix=96, slices=24)
CASES = 9
TRAINING_LIMIT_S = 240.0
READER = "reader-a"


def _phantoms() -> dict[str, Phantom]:
    """Phantoms of which some validate and the others train: the split goes by their names."""
    found: dict[Side, list[int]] = {side: [] for side in Side}
    for seed in range(1, 200):
        found[side_of(f"phantom-{seed:06d}")].append(seed)
    seeds = [*found[Side.TRAINING][: CASES - 3], *found[Side.VALIDATION][:3]]
    made = [generate_phantom(seed, spec=SPEC) for seed in seeds]
    return {phantom.volume.case_id: phantom for phantom in made}


@pytest.fixture(scope="module", params=["folder", pytest.param("pacs", marks=[needs_orthanc, pytest.mark.slow])])
def place(request: pytest.FixtureRequest) -> str:
    """Where the scans are."""
    return str(request.param)


@pytest.fixture(scope="module")
def truth(place: str) -> dict[str, Phantom]:
    """The phantoms by the names of their images."""
    phantoms = _phantoms()
    return phantoms if place == "folder" else {image_id_of(one.volume): one for one in phantoms.values()}


@pytest.fixture(scope="module")
def clinic(
    place: str, truth: dict[str, Phantom], model_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server over scans that nobody has read yet."""
    studies, models = tmp_path_factory.mktemp("clinic"), copied_models(model_root, tmp_path_factory.mktemp("models"))
    volumes = [phantom.volume for phantom in truth.values()]
    if place == "folder":
        for volume in volumes:
            sitk.WriteImage(volume.to_sitk(volume.hu), studies / f"{volume.case_id}.nii.gz")
        with serving(studies, models, tmp_path_factory) as server:
            yield server
        return
    sides = [side_of(volume.case_id) for volume in volumes]
    of_patients = {patient_on(side, n): volume for n, (side, volume) in enumerate(zip(sides, volumes, strict=True), 1)}
    with (
        orthanc_with(studies, of_patients) as orthanc,
        serving_pacs(orthanc.dicomweb, studies / "state", models, tmp_path_factory) as server,
    ):
        assert server.client.wait_until_offered(sorted(truth), 600)
        yield server


def _post(server: RunningServer, path: str, **body: Any) -> dict[str, Any]:
    answer = requests.post(server.client.address + path, json=body, timeout=120)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _corrected(document: dict[str, Any], phantom: Phantom) -> dict[str, Any]:
    """What a reader makes of a screening: the model's regions are irrelevant, the true ones stand beside them."""
    case, true = Case.from_dict(document), truth_document(phantom).to_dict()
    for region in true["regions"]:
        region["reader"]["name"] = READER
    regions = case.to_dict()["regions"]
    for region in regions:
        region["reader"] = {"label": "irrelevant", "name": READER, "at": "2026-11-24T10:00:00Z"}
    marked = {**case.to_dict(), "regions": [*regions, *true["regions"]], "diagnosis": phantom.diagnosis}
    return Case.from_dict(marked).with_verdict().to_dict()


def _read_one(server: RunningServer, truth: dict[str, Phantom]) -> str:
    """Next case, screen, correct, submit; returns the case."""
    image = _post(server, "/activelearning/combined", client_id=READER)["id"]
    document = server.client.infer("ct_screening", image, output="json").document
    corrected = _corrected(document, truth[image])
    answer = requests.put(f"{server.client.address}/pneumoscreen/annotations/{image}", json=corrected, timeout=60)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["version"], answer.json()["reader"]) == (1, READER)
    return str(image)


def _trained(server: RunningServer) -> dict[str, Any]:
    """The status of the training once it has ended."""
    end = time.monotonic() + TRAINING_LIMIT_S
    while time.monotonic() < end:
        status = dict(server.client.get("/train/").json())
        if status["status"] not in ("SUBMITTED", "RUNNING"):
            return status
        time.sleep(0.5)
    raise AssertionError(f"the training did not end within {TRAINING_LIMIT_S:.0f} s: {status}")


def test_the_whole_loop(clinic: RunningServer, truth: dict[str, Phantom]) -> None:
    read = {_read_one(clinic, truth) for _ in truth}
    assert read == set(truth), "every case is handed out once"
    assert "id" not in _post(clinic, "/activelearning/combined", client_id=READER), "finished cases do not come back"
    assert _post(clinic, "/activelearning/combined", client_id=READER, include_done=True)["id"] in truth

    before = clinic.client.infer("ct_screening", next(iter(truth)), output="json").document
    assert before["models"]["ct_classifier"]["version"] == 1
    started = _post(clinic, "/train/ct_classifier", max_epochs=4, train_batch_size=32)
    assert started["status"] in ("SUBMITTED", "RUNNING")
    ended = _trained(clinic)
    assert ended["status"] == "DONE", ended
    progress = ended["progress"]
    assert progress["epoch"] == progress["epochs"] == 4
    publication = progress["publication"]
    # Three validation patients cannot tell a worse network from an equal one: the trainer decides by hand.
    assert not publication["published"] and publication["patients"] == 3, publication
    assert publication["reason"].startswith("fewer than 10 validation patients"), publication
    kept = clinic.client.infer("ct_screening", next(iter(truth)), output="json").document
    assert kept["models"]["ct_classifier"] == before["models"]["ct_classifier"]
    by_hand = _post(clinic, "/pneumoscreen/models/ct_classifier/publish", candidate=publication["candidate_id"])

    after = clinic.client.infer("ct_screening", next(iter(truth)), output="json").document
    assert after["models"]["ct_classifier"]["version"] == by_hand["version"] == 2
    back = requests.post(f"{clinic.client.address}/pneumoscreen/models/ct_classifier/rollback", json={}, timeout=60)
    assert back.status_code == 200, back.text
    again = clinic.client.infer("ct_screening", next(iter(truth)), output="json").document
    assert again["models"]["ct_classifier"] == before["models"]["ct_classifier"]
    assert [p["probabilities"] for r in again["regions"] for p in r["patches"]] == [
        p["probabilities"] for r in before["regions"] for p in r["patches"]
    ]

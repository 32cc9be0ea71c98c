"""MONAI Label's integration tests of its radiology app, asked of this server: tests/integration/radiology there.

Their requests with our model names and data; the pattern is theirs (Apache-2.0, MONAI Consortium), at commit
058ddfc45ac52c2cae7783e2cadac0efeb2a9647. They want status 200 and no more; here the answer is looked at as well. Theirs return
at once where there is no GPU; these run on whatever there is.

| theirs | here |
|---|---|
| test_info.py: test_info | test_info |
| test_session.py: test_session | test_session |
| test_infer.py: test_segmentation_spleen, test_segmentation, test_deepedit | test_segmentation |
| test_infer.py: test_deepgrow_pipeline (clicks in ``params``) | test_what_the_reader_points_at (regions in ``params``) |
| test_batch_infer.py: test_batch_segmentation_spleen | test_batch_segmentation |
| test_trainer.py: test_segmentation_spleen_trainer, test_segmentation_trainer, test_deepgrow_2d_trainer, test_deepgrow_3d_trainer, test_deepedit | test_trainer (slow) |
"""  # noqa: E501

import json

import pytest
import requests

from pneumoscreen.case import Case

from .conftest import RunningServer
from .work.test_train_tasks import clinic, labelled, models, place  # noqa: F401

IMAGE = "one"
BATCH = {
    "device": "cuda", "multi_gpu": True, "gpus": "all", "logging": "WARNING", "save_label": True,
    "label_tag": "original", "max_workers": 0, "max_batch_size": 3,
}  # fmt: skip


def test_info(radiology: RunningServer) -> None:
    response = requests.get(f"{radiology.client.address}/info/", timeout=60)
    assert response.status_code == 200
    assert all(response.json()[field] for field in ("version", "name", "labels"))


def test_session(radiology: RunningServer) -> None:
    files = [("files", ("nifti.nii.gz", (radiology.studies / "nifti.nii.gz").read_bytes()))]
    response = requests.put(f"{radiology.client.address}/session/?expiry=600", files=files, timeout=60)
    assert response.status_code == 200
    made = response.json()
    assert made["session_id"] and made["session_info"]
    response = requests.get(f"{radiology.client.address}/session/{made['session_id']}", timeout=60)
    assert response.status_code == 200


@pytest.mark.parametrize("model", ["ct_screening", "ct_candidates"])
def test_segmentation(model: str, radiology: RunningServer) -> None:
    response = requests.post(f"{radiology.client.address}/infer/{model}?image={IMAGE}", timeout=120)
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("multipart/form-data")
    assert b'name="params"' in response.content and b'name="image"' in response.content


def test_what_the_reader_points_at(radiology: RunningServer) -> None:
    address = f"{radiology.client.address}/infer"
    found = requests.post(f"{address}/ct_candidates?image={IMAGE}&output=json", timeout=120).json()["regions"]
    params = {"regions": [{"center_mm": found[0]["center_mm"], "size_mm": found[0]["size_mm"]}]}
    response = requests.post(f"{address}/ct_classifier?image={IMAGE}", data={"params": json.dumps(params)}, timeout=120)
    assert response.status_code == 200
    (region,) = Case.from_dict(response.json()).regions
    assert region.label is not None


def test_batch_segmentation(radiology: RunningServer) -> None:
    response = requests.post(
        f"{radiology.client.address}/batch/infer/ct_candidates?images=all&run_sync=true", json=BATCH, timeout=280
    )
    assert response.status_code == 200
    objects = requests.get(f"{radiology.client.address}/datastore/?output=all", timeout=60).json()["objects"]
    # The first three by name: an X-ray, which this task cannot take, and two CTs.
    assert [name for name, entry in objects.items() if "original" in entry["labels"]] == ["frameless", "nifti"]


# Other trainings over the same route run each time: test_train_tasks.py.
@pytest.mark.slow
@pytest.mark.parametrize("model", ["ct_classifier", "ct_candidates"])
def test_trainer(model: str, clinic: RunningServer) -> None:  # noqa: F811
    params = {
        "model": model, "max_epochs": 1, "name": f"net_test_{model}_trainer_01", "val_split": 0.5, "multi_gpu": False,
    }  # fmt: skip
    response = requests.post(f"{clinic.client.address}/train/{model}?run_sync=True", json=params, timeout=280)
    assert response.status_code == 200, response.text
    assert response.json()["status"] == "DONE"

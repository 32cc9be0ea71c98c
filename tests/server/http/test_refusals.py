"""A user's mistake gets 4xx and one sentence; nothing of the disk beyond the studies is read or written."""

import io
import json
import socket
import tarfile
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ..conftest import RunningServer


def post(server: RunningServer, path: str, **more: Any) -> requests.Response:
    return requests.post(f"{server.client.address}{path}", timeout=120, **more)


def assert_refused(response: requests.Response, *statuses: int) -> str:
    assert response.status_code in statuses, f"{response.status_code}: {response.text[:300]}"
    body = response.json()
    assert isinstance(body["detail"], str), body
    assert "Traceback" not in body["detail"]
    return str(body["detail"])


@pytest.mark.parametrize(
    "image",
    [
        "/etc/passwd",
        "../../../../etc/passwd",
        "..",
        ".",
        "/",
        "no-such-image",
        "._upright",
        ".hidden",
        "notes",
        "datastore_v2",
        "labels",
        "upright\x00",
        "upright/../upright",
        "x" * 5000,
        "\N{PILE OF POO}",
    ],
)
def test_only_images_of_the_studies_can_be_named(server: RunningServer, image: str) -> None:
    detail = assert_refused(post(server, "/infer/ct_screening", params={"image": image}), 404, 422)
    assert "root:" not in detail


def test_the_path_of_an_image_of_the_studies_is_as_good_as_its_id(server: RunningServer) -> None:
    path = str(server.studies / "upright.nii.gz")
    response = post(server, "/infer/ct_candidates", params={"image": path, "output": "json"})
    assert response.status_code == 200
    assert response.json()["case_id"] == "upright"


@pytest.mark.parametrize("field", ["image", "model", "file", "session", "label"])
def test_params_cannot_name_the_image(server: RunningServer, field: str) -> None:
    data = {"params": json.dumps({field: "/etc/passwd"})}
    assert field in assert_refused(post(server, "/infer/ct_screening", params={"image": "upright"}, data=data), 422)


def test_params_cannot_smuggle_an_upload(server: RunningServer) -> None:
    data = {"params": json.dumps({"upload": "/etc/passwd"})}
    response = post(server, "/infer/ct_candidates", params={"image": "upright", "output": "json"}, data=data)
    assert response.json()["case_id"] == "upright"


def test_a_scan_that_cannot_be_used_says_why(server: RunningServer) -> None:
    for image, task in (("broken", "ct_screening"), ("broken", "ct_classifier"), ("flesh", "ct_candidates")):
        data = {"params": json.dumps({"regions": []})}
        detail = assert_refused(post(server, f"/infer/{task}", params={"image": image}, data=data), 422)
        assert image in detail


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ("{", "params"),
        ("[1]", "params"),
        ('{"result_extension": ".exe"}', "result_extension"),
        ('{"result_extension": 5}', "result_extension"),
        ('{"save_label": "yes"}', "save_label"),
        ('{"diagnosis": "plague"}', "diagnosis"),
        ('{"regions": "r1"}', "regions"),
        ('{"regions": [7]}', "regions[0]"),
        ('{"regions": [{}]}', "regions[0]."),
        ('{"regions": [{"center_mm": [0, 0, 0], "size_mm": [1, 1, 0]}]}', "regions[0].size_mm"),
        ('{"regions": [{"center_mm": [0, 0, NaN], "size_mm": [1, 1, 1]}]}', "regions[0].center_mm"),
        ('{"regions": [{"center_mm": [1e9, 0, 0], "size_mm": [9, 9, 9]}]}', "r1"),
        ('{"regions": [{"center_mm": [0, 0, 0], "size_mm": [9, 9, 9], "colour": "red"}]}', "regions[0].colour"),
        ("{}", "regions"),
    ],
)
def test_a_wrong_parameter_is_named(server: RunningServer, params: str, named: str) -> None:
    response = post(server, "/infer/ct_classifier", params={"image": "upright"}, data={"params": params})
    assert named in assert_refused(response, 422)


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        ("POST", "/infer/ct_screening", (422,)),
        ("POST", "/infer/no_such_task?image=upright", (404,)),
        ("POST", "/infer/ct_screening?image=upright&output=mp3", (422,)),
        ("POST", "/infer/ct_screening?image=upright&output=dicom_seg", (422,)),
        ("POST", "/infer/ct_classifier?image=upright&output=image", (422,)),
        ("POST", "/infer/ct_screening?session_id=../../../etc", (404,)),
        ("POST", "/infer/wsi/ct_screening?image=/etc/passwd", (404, 405)),
        ("POST", "/activelearning/no_such_strategy", (404,)),
        ("POST", "/train/no_such_task", (404,)),
        ("POST", "/batch/infer/no_such_task", (404,)),
        ("POST", "/scoring/no_such_method", (404,)),
        ("POST", "/reload", (404, 405)),
        ("POST", "/pneumoscreen/cancel/nothing", (404,)),
        ("GET", "/pneumoscreen/progress/nothing", (404,)),
        ("GET", "/pneumoscreen/report/../../etc/passwd", (404,)),
        ("GET", "/pneumoscreen/report/%2Fetc%2Fpasswd", (404,)),
        ("GET", "/pneumoscreen/report/..%2F..%2Fupright", (404,)),
        ("GET", "/datastore/image?image=nothing", (404,)),
        ("GET", "/datastore/image?image=%00", (422,)),
        ("GET", "/datastore/image/info?image=nothing", (404,)),
        ("GET", "/datastore/label?label=nothing&tag=final", (404,)),
        ("GET", "/datastore/label/info?label=upright&tag=none", (404,)),
        ("GET", "/datastore/label", (422,)),
        ("DELETE", "/datastore/label?id=upright&tag=none", (404,)),
        ("DELETE", "/datastore/image?id=nothing", (404,)),
        ("GET", "/datastore/?output=mp3", (422,)),
        ("GET", "/model/no_such_model", (404,)),
        ("DELETE", "/model/ct_classifier", (404, 405)),
        ("GET", "/session/nothing", (404,)),
        ("GET", "/proxy/dicom/wado/studies", (404,)),
        ("GET", "/no/such/page", (404,)),
    ],
)
def test_requests_for_what_is_not_there(
    server: RunningServer, method: str, path: str, statuses: tuple[int, ...]
) -> None:
    response = requests.request(method, f"{server.client.address}{path}", timeout=60)
    assert_refused(response, *statuses)


def test_uploads_that_are_no_scan(server: RunningServer) -> None:
    for name, content in (("scan.exe", b"MZ"), ("scan.nii.gz", b""), ("scan.nrrd", b"NRRD0005\n"), ("x.dcm", b"no")):
        response = post(server, "/infer/ct_screening", files={"file": (name, content)})
        assert_refused(response, 422)


def test_names_cannot_lead_out_of_the_studies(server: RunningServer) -> None:
    address = server.client.address
    inside = {path for path in server.studies.parent.rglob("*") if path.is_dir()}
    scan = (server.studies / "upright.nii.gz").read_bytes()
    for image in ("../outside", "/tmp/outside", "..", ".hidden", "a/b"):
        answer = requests.put(
            f"{address}/datastore/image", params={"image": image}, files={"file": ("a.nii.gz", scan)}, timeout=60
        )
        assert_refused(answer, 422)
    for tag in ("../../outside", "/tmp/outside", "a/b", ".."):
        answer = requests.put(
            f"{address}/datastore/label",
            params={"image": "upright", "tag": tag},
            files={"label": ("a.nii.gz", scan)},
            timeout=60,
        )
        assert_refused(answer, 422)
    assert {path for path in server.studies.parent.rglob("*") if path.is_dir()} == inside


def test_an_archive_cannot_write_outside_its_session(server: RunningServer, tmp_path: Path) -> None:
    content = io.BytesIO()
    target = tmp_path / "planted"
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        entry = tarfile.TarInfo(f"../../../../../../../..{target}")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"bad"))
    for name, body in (("a.tar.gz", content.getvalue()), ("a.zip", b"PK\x03\x04 broken"), ("a.txt", b"text")):
        answer = requests.put(
            f"{server.client.address}/session/?uncompress=true", files={"files": (name, body)}, timeout=60
        )
        assert_refused(answer, 422)
    assert not target.exists()


@pytest.mark.parametrize(
    "names", [("..",), ("a/.",), ("/",), ("x" * 300 + ".nii.gz",), ("a\x7f.dcm",), ("1/a.dcm", "2/a.dcm")]
)
def test_files_of_a_session_have_names_of_their_own(server: RunningServer, names: tuple[str, ...]) -> None:
    files = [("files", (name, b"x")) for name in names]
    answer = requests.put(f"{server.client.address}/session/", files=files, timeout=60)
    assert "name" in assert_refused(answer, 422)


def test_a_session_of_several_files_has_no_single_image(server: RunningServer) -> None:
    address = f"{server.client.address}/session/"
    files = [("files", (name, b"x")) for name in ("a.dcm", "b.dcm")]
    made = requests.put(address, files=files, timeout=60).json()["session_id"]
    detail = assert_refused(requests.get(address + made, params={"image": True}, timeout=60), 422)
    assert "several files" in detail
    assert requests.get(address + made, timeout=60).status_code == 200
    assert_refused(requests.get(address + "0" * 36, params={"image": True}, timeout=60), 404)
    assert requests.delete(address + made, timeout=60).status_code == 200


def test_a_body_that_ends_early_is_no_fault_of_the_server(server: RunningServer) -> None:
    host, port = server.client.address.removeprefix("http://").split(":")
    words = "PUT /pneumoscreen/annotations/upright HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n{"
    before = server.log.read_text(encoding="utf-8").count("ClientDisconnect")
    with socket.create_connection((host, int(port)), 60) as cut:
        cut.sendall(words.encode())
        cut.shutdown(socket.SHUT_WR)
        while cut.recv(4096):  # until the server has closed its side as well
            pass
    assert requests.get(f"{server.client.address}/info/", timeout=60).status_code == 200
    assert server.log.read_text(encoding="utf-8").count("ClientDisconnect") == before


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
region_like = st.fixed_dictionaries(
    {},
    optional={
        "id": json_values,
        "center_mm": st.lists(st.floats() | st.integers(), max_size=4) | json_values,
        "size_mm": st.lists(st.floats() | st.integers(), max_size=4) | json_values,
        "score": json_values,
        "side": json_values,
        "reader": json_values,
        "source": json_values,
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(params=json_values | st.fixed_dictionaries({"regions": st.lists(region_like, max_size=3) | json_values}))
def test_no_params_whatever_make_the_server_fail(server: RunningServer, params: Any) -> None:
    response = post(server, "/infer/ct_classifier", params={"image": "no-such"}, data={"params": json.dumps(params)})
    assert_refused(response, 404, 422)
    response = post(server, "/infer/ct_classifier", params={"image": "upright"}, data={"params": json.dumps(params)})
    assert response.status_code in (200, 422), response.text[:500]


def test_the_log_holds_no_fault(server: RunningServer) -> None:
    text = server.log.read_text(encoding="utf-8")
    assert "Traceback" not in text, text[-3000:]

"""What programs that watch the server are told: health, figures, and nothing of patients."""

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from pneumoscreen.server.access.identity import Role
from pneumoscreen.server.access.tokens import TokenFile
from pneumoscreen.server.client import Client, ServerError
from pneumoscreen.studies.audit import case_digest

from ...confined import words_before
from ...conftest import RunningServer, copied_models, serving
from ...prometheus import scraping

NAME = "Doe_Jane"
"""Stands for what a patient's name in a file's name would look like."""


@pytest.fixture(scope="module")
def watched(
    studies: Path, model_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningServer, dict[str, str]]]:
    """A server as systemd starts it, with a token of each role, a scan with a patient's name, and models of its own."""
    folder = tmp_path_factory.mktemp("named")
    shutil.copy(studies / "upright.nii.gz", folder / f"{NAME}.nii.gz")
    shutil.copy(studies / "flesh.nii.gz", folder / "flesh.nii.gz")
    models = copied_models(model_root, tmp_path_factory.mktemp("models"))
    file = TokenFile(tmp_path_factory.mktemp("tokens") / "tokens.json")
    tokens = {role.label: file.add(f"{role.label}-a", role)[1] for role in Role}
    site = tmp_path_factory.mktemp("site") / "site.yaml"
    site.write_text(f"tokens: /nowhere\nlog_format: json\nlog_file: {site.with_name('server.log')}\nmax_jobs: 7\n")
    options = ("--config", str(site), "--tokens", str(file.path))

    def client(address: str) -> Client:
        return Client(address, tokens["reader"])

    with serving(folder, models, tmp_path_factory, *options, client=client, before=words_before()) as server:
        yield replace(server, log=site.with_name("server.log")), tokens


def figures(address: str, token: str | None = None) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of a scrape, by its name and labels."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    answer = requests.get(f"{address}/metrics", headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(found: dict[tuple[str, frozenset[tuple[str, str]]], float], name: str, **labels: str) -> float:
    return found.get((f"pneumoscreen_{name}", frozenset(labels.items())), 0.0)


def test_health_needs_no_token_and_tells_nothing_else(watched: tuple[RunningServer, dict[str, str]]) -> None:
    address = watched[0].client.address
    alive, ready = (requests.get(f"{address}/health/{state}", timeout=30) for state in ("live", "ready"))
    assert (alive.status_code, alive.json()) == (200, {"status": "live"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "reasons": []})
    assert requests.head(f"{address}/health/ready", timeout=30).status_code == 200
    assert requests.post(f"{address}/health/ready", timeout=30).status_code == 401
    assert requests.get(f"{address}/health/else", timeout=30).status_code == 401


def test_the_figures_are_for_monitors(watched: tuple[RunningServer, dict[str, str]]) -> None:
    address, tokens = watched[0].client.address, watched[1]
    assert requests.get(f"{address}/metrics", timeout=30).status_code == 401
    header = {"Authorization": f"Bearer {tokens['monitor']}"}
    assert requests.get(f"{address}/metrics", headers=header, timeout=30).status_code == 200
    for path in ("info/", "pneumoscreen/cases", "logs/", "datastore/"):
        assert requests.get(f"{address}/{path}", headers=header, timeout=30).status_code == 403


def test_networks_that_cannot_be_loaded_are_a_reason(
    watched: tuple[RunningServer, dict[str, str]], model_root: Path
) -> None:
    server = watched[0]
    ready = f"{server.client.address}/health/ready"
    (server.models / "ct_classifier" / "1" / "model.safetensors").write_bytes(b"damaged")
    answer = requests.get(ready, timeout=30)
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert answer.json()["reasons"] == ["there are no networks that can be loaded"]
    copied_models(model_root, server.models)
    assert requests.get(ready, timeout=30).status_code == 200


def test_what_was_done_is_counted_without_names(watched: tuple[RunningServer, dict[str, str]]) -> None:
    server, tokens = watched
    before = figures(server.client.address, tokens["monitor"])
    server.client.infer("ct_screening", NAME)
    with pytest.raises(ServerError, match="label map and no CT"):
        server.client.infer("ct_screening", "flesh")
    with pytest.raises(ServerError, match="not in the studies"):
        server.client.infer("ct_screening", f"{NAME}_2")
    with pytest.raises(ServerError, match="Not Found"):
        server.client.get(f"/static/{NAME}")
    after = figures(server.client.address, tokens["monitor"])

    def rise(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert rise("cases_screened_total", task="ct_screening") == 1
    assert rise("inferences_total", task="ct_screening", outcome="done") == 1
    assert rise("inferences_total", task="ct_screening", outcome="refused") == 1
    assert rise("inferences_total", task="ct_screening", outcome="failed") == 0
    assert rise("refusals_total", kind="not_ct") == 1
    assert rise("refusals_total", kind="unknown") == 1
    assert rise("refusals_total", kind="other") == 1
    assert rise("requests_total", method="POST", route="/infer/{task}", status="200") == 1
    assert rise("stage_seconds_count", task="ct_screening", stage="wait") == 2
    for stage in ("read", "lungs", "candidates", "classify", "total"):
        assert rise("stage_seconds_count", task="ct_screening", stage=stage) == 1
    assert value(after, "jobs", state="queued") == value(after, "jobs", state="running") == 0
    assert value(after, "model_info", network="ct_candidates", version="1") == 1
    assert value(after, "trainings", state="running") == 0
    assert not any("Doe" in text for _, labels in after for pair in labels for text in pair)


def test_how_the_model_does_is_for_trainers_without_names(watched: tuple[RunningServer, dict[str, str]]) -> None:
    address, tokens = watched[0].client.address, watched[1]
    for path in ("pneumoscreen/monitoring", "pneumoscreen/monitoring.json"):
        for role, status in (("monitor", 403), ("reader", 403), ("trainer", 200), ("administrator", 200)):
            header = {"Authorization": f"Bearer {tokens[role]}"}
            answer = requests.get(f"{address}/{path}", headers=header, timeout=60)
            assert answer.status_code == status, f"{role} {path} {answer.text}"
            assert NAME not in answer.text
        assert "Research use only" in answer.text
    assert answer.json()["period"] == "month"


def test_the_log_has_a_line_a_request_and_a_job_and_no_names(watched: tuple[RunningServer, dict[str, str]]) -> None:
    server, tokens = watched
    address, header = (
        server.client.address,
        {"Authorization": f"Bearer {tokens['administrator']}", "X-Request-ID": NAME},
    )
    for path in (
        f"pneumoscreen/report/{NAME}",
        f"pneumoscreen/cases/{NAME}",
        f"{NAME}",
        f"datastore/image?image={NAME}",
    ):
        requests.get(f"{address}/{path}", headers=header, timeout=30)
        requests.get(f"{address}/{path}", headers={"Cookie": NAME}, timeout=30)
    requests.request(NAME, f"{address}/info/", headers=header, timeout=30)
    wanted = requests.post(f"{address}/infer/ct_screening", params={"image": NAME}, headers=header, timeout=120)
    assert wanted.status_code == 200
    id_, said = wanted.headers["X-Request-ID"], server.log.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in said.splitlines()]
    job = next(line for line in lines if line.get("job") and line["request"] == id_)
    request = next(line for line in lines if line.get("route") and line["request"] == id_)
    assert (job["task"], job["outcome"], job["case"]) == ("ct_screening", "done", case_digest(NAME))
    assert (request["method"], request["route"], request["status"]) == ("POST", "/infer/{task}", 200)
    assert {"/pneumoscreen/report/{image:path}", "(not listed)"} <= {line.get("route") for line in lines}
    probes = {line["route"] for line in lines if line.get("status") == 200} & {"/metrics", "/health/live"}
    assert not probes, "they would fill the disk"
    assert "Doe" not in said
    assert not any(token in said for token in tokens.values())


def test_all_this_works_under_the_filters_of_the_unit(watched: tuple[RunningServer, dict[str, str]]) -> None:
    """oneDNN makes machine code, MKL asks for the processors: nobody but a run tells what they need."""
    if not words_before():
        pytest.skip("no systemd-analyze on this machine: apt-get install systemd")
    server, tokens = watched
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    assert "Seccomp:\t2" in status and "NoNewPrivs:\t1" in status
    header = {"Authorization": f"Bearer {tokens['trainer']}"}
    begun = requests.post(f"{server.client.address}/scoring/", json={}, headers=header, timeout=60)
    assert begun.status_code == 200, begun.text
    said = server.log.read_text(encoding="utf-8")
    assert "Traceback" not in said and "not permitted" not in said


def test_studies_that_cannot_be_read_are_a_reason(watched: tuple[RunningServer, dict[str, str]]) -> None:
    server = watched[0]
    for weights in server.models.rglob("model.safetensors"):
        weights.write_bytes(b"damaged")
    # Those in memory stay in use.
    assert requests.get(f"{server.client.address}/health/ready", timeout=30).status_code == 200
    moved = server.studies.rename(server.studies.with_name("away"))
    try:
        answer = requests.get(f"{server.client.address}/health/ready", timeout=30)
        assert (answer.status_code, answer.json()["reasons"]) == (503, ["the studies cannot be read"])
        assert requests.get(f"{server.client.address}/health/live", timeout=30).status_code == 200
        assert str(server.studies.parent) not in json.dumps(answer.json())
    finally:
        moved.rename(server.studies)


def test_every_answer_has_an_id_that_is_the_servers(server: RunningServer) -> None:
    mine = {"X-Request-ID": NAME}
    first, second = (requests.get(f"{server.client.address}/info/", headers=mine, timeout=30) for _ in range(2))
    ids = {answer.headers["X-Request-ID"] for answer in (first, second)}
    assert len(ids) == 2 and NAME not in ids


def test_a_real_prometheus_sees_the_server_up_and_a_screening(
    watched: tuple[RunningServer, dict[str, str]], tmp_path: Path, model_root: Path
) -> None:
    server, tokens = watched
    copied_models(model_root, server.models)
    counted = 'pneumoscreen_cases_screened_total{task="ct_screening"}'
    with scraping(server.client.address.removeprefix("http://"), tmp_path, tokens["monitor"]) as prometheus:
        end = time.monotonic() + 60
        while prometheus.value(counted) is None and time.monotonic() < end:
            time.sleep(0.2)
        assert [target["health"] for target in prometheus.targets()] == ["up"]
        before = prometheus.value(counted)
        assert before is not None
        server.client.infer("ct_screening", NAME)
        while prometheus.value(counted) != before + 1 and time.monotonic() < end:
            time.sleep(0.2)
        assert prometheus.value(counted) == before + 1
        assert prometheus.value('pneumoscreen_jobs{state="running"}') is not None

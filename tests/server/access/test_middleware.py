"""The access layer: nobody passes without a token of the right role, on any route, and nothing happens meanwhile."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from fastapi import FastAPI, Request
from monailabel.endpoints import (
    activelearning,
    batch_infer,
    datastore,
    logs,
    model,
    ohif,
    proxy,
    scoring,
    session,
    train,
)
from starlette.middleware.cors import CORSMiddleware
from starlette.testclient import TestClient

from pneumoscreen import __version__
from pneumoscreen.server.access.identity import SINGLE_USER, Role, speaker
from pneumoscreen.server.access.live_tokens import LiveTokens
from pneumoscreen.server.access.middleware import AccessMiddleware, Gatekeeper
from pneumoscreen.server.access.permissions import NOT_LISTED, is_open, rule_for
from pneumoscreen.server.access.tokens import TokenFile
from pneumoscreen.server.app import PneumoScreenApp
from pneumoscreen.server.client import Client
from pneumoscreen.server.http.application import build
from pneumoscreen.server.http.guard import RefusedAttempts
from pneumoscreen.server.http.hidden_paths import PlacelessResponse
from pneumoscreen.server.serve import DEFAULT_APP
from pneumoscreen.studies.audit import AuditLog

from ..conftest import RunningServer, serving

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ALLOWED = "https://viewer.clinic.org"


class TestTable:
    """Who may do what, as the roles were set: this list is the demand, the table its answer."""

    @pytest.mark.parametrize(
        ("role", "requests_"),
        [
            (Role.MONITOR, "GET /metrics | HEAD /metrics/ | GET /pneumoscreen/whoami"),
            (
                Role.READER,
                "GET / | GET /docs | GET /openapi.json | GET /static/ohif/index.html | GET /ohif/viewer | GET /info/ | "
                "POST /infer/ct_screening | POST /activelearning/combined | GET /train/ | GET /scoring/ | "
                "GET /batch/infer | GET /datastore/ | GET /datastore/image | HEAD /datastore/image | "
                "GET /datastore/label | PUT /datastore/label | PUT /session/ | GET /session/1 | DELETE /session/1 | "
                "GET /pneumoscreen/progress/a | GET /pneumoscreen/report/a | "
                "GET /pneumoscreen/masks/a | GET /pneumoscreen/screening/a | "
                "GET /pneumoscreen/annotations/a | PUT /pneumoscreen/annotations/a | "
                "GET /pneumoscreen/annotations/a/versions/1 | GET /pneumoscreen/cases | GET /pneumoscreen/cases/a | "
                "GET /pneumoscreen/leases | DELETE /pneumoscreen/leases/a | GET /pneumoscreen/models",
            ),
            (
                Role.TRAINER,
                "POST /train/ct_classifier | POST /train/ | DELETE /train/ | POST /scoring/ | POST /scoring/x | "
                "DELETE /scoring/ | POST /batch/infer/ct_screening | DELETE /batch/infer | GET /model/ct_classifier | "
                "POST /pneumoscreen/annotations/a/adjudicate | POST /pneumoscreen/models/ct_classifier/publish | "
                "POST /pneumoscreen/models/ct_classifier/rollback | GET /datastore/dataset | PUT /datastore/image | "
                "PUT /datastore/ | PUT /datastore/updatelabelinfo",
            ),
            (
                Role.ADMINISTRATOR,
                "GET /logs/ | GET /logs/gpu | DELETE /datastore/image | DELETE /datastore/label | DELETE /datastore/ | "
                "PUT /model/ct_classifier | DELETE /model/ct_classifier | "
                "DELETE /pneumoscreen/annotations/a | DELETE /pneumoscreen/models/ct_classifier | POST /reload | "
                "POST /infer/wsi/x | GET /pneumoscreen/anything | TRACE / | OPTIONS /info/ | GET /info/x | "
                "get /info/ | POST /metrics | POST /health/live | GET /health",
            ),
        ],
    )
    def test_roles(self, role: Role, requests_: str) -> None:
        found = {line: rule_for(*line.split()).role for line in requests_.split(" | ")}
        assert found == dict.fromkeys(found, role)

    def test_a_prefix_of_the_interface_changes_nothing(self) -> None:
        assert rule_for("GET", "/api/v1/info/", "/api/v1").role is Role.READER
        assert rule_for("POST", "/api/v1/train/x", "/api/v1").role is Role.TRAINER
        assert rule_for("GET", "/docs", "/api/v1").role is Role.READER

    def test_a_line_break_does_not_lead_past_it(self) -> None:
        assert rule_for("GET", "/info\n").role is Role.ADMINISTRATOR


def _routes_of(routes: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """Method and path of every route of an application, those of the routers in it included."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _routes_of(inner.routes)
            continue
        assert isinstance(route.path, str), f"{route} is of a kind that this walk does not know"
        for method in getattr(route, "methods", None) or ("GET",):
            yield method, route.path


def test_every_route_of_the_application_is_in_the_table_and_in_the_walk(
    tmp_path: Path, model_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PNEUMOSCREEN_MODELS", str(model_root))
    monkeypatch.setenv("PNEUMOSCREEN_TOKENS", "none")
    monkeypatch.setattr(PlacelessResponse, "places", PlacelessResponse.places)  # which building sets
    (tmp_path / "a.nii.gz").write_bytes(b"not opened")
    app = PneumoScreenApp(str(DEFAULT_APP), str(tmp_path), {})
    web = build(app, FastAPI(), app.figures)
    found = set(_routes_of(web.routes))
    assert len(found) > 60
    closed = {each for each in found if not is_open(*each)}
    assert {each for each in closed if rule_for(*each) is NOT_LISTED} == set(), "enter it"
    paths = set(web.openapi()["paths"]) | {path for _, path in _hidden_routes()}
    unwalked = {path for _, path in found if path.replace(":path}", "}") not in paths and path not in paths}
    assert unwalked == set(), "the walk over the running server does not ask for it"


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "tokens.json")


def _small_app(tokens: LiveTokens, audit: Path | None = None, origins: tuple[str, ...] = ()) -> FastAPI:
    """The real layer around two routes, hung in as the server does it."""
    web = FastAPI()
    gatekeeper = Gatekeeper(tokens, None, origins)
    record = RefusedAttempts(AuditLog(audit)) if audit is not None else None
    web.add_middleware(AccessMiddleware, gatekeeper=gatekeeper, record=record)
    if origins:
        web.add_middleware(CORSMiddleware, allow_origins=list(origins), allow_methods=["*"], allow_headers=["*"])

    @web.get("/info/")
    def told(request: Request) -> dict[str, Any]:
        who = speaker()
        return {"reader": who.reader, "role": who.role.label, "headers": dict(request.headers)}

    @web.delete("/datastore/image")
    def deleted() -> str:
        return "deleted"

    return web


def _client(web: FastAPI, **more: Any) -> TestClient:
    return TestClient(web, **{"base_url": "http://127.0.0.1:8000", "client": ("127.0.0.1", 50000), **more})


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class TestSingleUser:
    """Without tokens: this machine only, and not what its browser sends for somebody else."""

    @pytest.fixture
    def local(self) -> TestClient:
        return _client(_small_app(LiveTokens(None)))

    def test_who_sits_at_the_machine_may_do_everything(self, local: TestClient) -> None:
        assert local.get("/info/").json()["reader"] == SINGLE_USER.reader
        assert local.delete("/datastore/image").json() == "deleted"

    @pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST", "[::1]:8000", "127.9.9.9"])
    def test_names_of_this_machine_are_answered(self, local: TestClient, host: str) -> None:
        assert local.get("/info/", headers={"Host": host}).status_code == 200

    @pytest.mark.parametrize(
        "host", ["evil.org:8000", "localhost.evil.org", "127.0.0.1.evil.org", "192.168.0.7", "", "[", "0.0.0.0:8000"]
    )
    def test_a_name_that_was_bent_to_this_machine_is_not(self, local: TestClient, host: str) -> None:
        answer = local.delete("/datastore/image", headers={"Host": host})
        assert answer.status_code == 403
        assert answer.json().keys() == {"detail"}

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "http://evil.org"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:3000"},
            {"Origin": "https://127.0.0.1:8000"},
            {"Origin": "http://127.0.0.1:8000.evil.org"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        ],
    )
    def test_other_sites_are_refused(self, local: TestClient, headers: dict[str, str]) -> None:
        answer = local.delete("/datastore/image", headers=headers)
        assert (answer.status_code, "pages of other sites" in answer.json()["detail"]) == (403, True)

    def test_its_own_pages_and_a_link_to_it_are_not(self, local: TestClient) -> None:
        own = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
        assert local.delete("/datastore/image", headers=own).status_code == 200
        link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
        assert local.get("/info/", headers=link).status_code == 200

    def test_an_origin_that_the_site_allows_is_let_in(self) -> None:
        local = _client(_small_app(LiveTokens(None), origins=(ALLOWED,)))
        answer = local.get("/info/", headers={"Origin": ALLOWED, "Sec-Fetch-Site": "cross-site"})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, ALLOWED)
        assert local.get("/info/", headers={"Origin": "https://evil.org"}).status_code == 403

    @pytest.mark.parametrize(
        ("server", "client"),
        [
            ("192.168.0.5", "192.168.0.9"),
            ("192.168.0.5", "127.0.0.1"),
            ("127.0.0.1", "10.0.0.1"),
            ("[fe80::1]", "::1"),
            ("testserver", "testclient"),
        ],
    )
    def test_a_connection_from_elsewhere_is_refused(self, server: str, client: str) -> None:
        web = _small_app(LiveTokens(None))
        remote = _client(web, base_url=f"http://{server}:8000", client=(client, 50000))
        answer = remote.get("/info/", headers={"Host": "localhost:8000"})
        assert answer.status_code == 403
        assert "pneumoscreen tokens add" in answer.json()["detail"]

    @pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "X-Forwarded-Host"])
    def test_what_a_proxy_brings_comes_from_elsewhere(self, local: TestClient, header: str) -> None:
        assert local.get("/info/", headers={header: "10.0.0.1"}).status_code == 403

    def test_the_mapped_form_of_an_address_counts_as_it(self) -> None:
        web = _small_app(LiveTokens(None))
        mapped = _client(web, base_url="http://[::ffff:127.0.0.1]:8000", client=("::ffff:127.0.0.1", 50000))
        assert mapped.get("/info/", headers={"Host": "localhost"}).status_code == 200


class TestTokens:
    def test_the_route_learns_who_speaks_and_never_the_token(self, file: TokenFile) -> None:
        _, text = file.add("reader-a", Role.READER)
        answer = _client(_small_app(LiveTokens(file.path))).get("/info/", headers=_bearer(text)).json()
        assert (answer["reader"], answer["role"]) == ("reader-a", "reader")
        assert "authorization" not in answer["headers"]

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Authorization": ""},
            {"Authorization": "Bearer"},
            {"Authorization": "Bearer "},
            {"Authorization": "Basic {token}"},
            {"Authorization": "{token}"},
            {"Authorization": "Bearer {token}x"},
            {"Authorization": "Bearer {token} {token}"},
            {"Authorization": "Bearer ÿ"},
            {"Cookie": "token={token}"},
        ],
    )
    def test_without_one_401(self, file: TokenFile, headers: dict[str, str]) -> None:
        _, text = file.add("a", Role.ADMINISTRATOR)
        sent = {name: value.replace("{token}", text).encode("latin-1") for name, value in headers.items()}
        answer = _client(_small_app(LiveTokens(file.path))).get(f"/info/?token={text}", headers=sent)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.json().keys() == {"detail"}

    def test_two_headers_are_none(self, file: TokenFile) -> None:
        _, text = file.add("a", Role.ADMINISTRATOR)
        twice = [("Authorization", f"Bearer {text}"), ("Authorization", f"Bearer {text}")]
        assert _client(_small_app(LiveTokens(file.path))).get("/info/", headers=twice).status_code == 401

    def test_too_low_a_role_403(self, file: TokenFile) -> None:
        _, text = file.add("a", Role.TRAINER)
        answer = _client(_small_app(LiveTokens(file.path))).delete("/datastore/image", headers=_bearer(text))
        assert answer.status_code == 403
        assert answer.json() == {"detail": "this needs the role administrator; a speaks as trainer"}

    def test_adding_the_first_and_revoking_it_counts_at_once(self, file: TokenFile) -> None:
        client = _client(_small_app(LiveTokens(file.path)))
        assert client.get("/info/").status_code == 200
        entry, text = file.add("a", Role.READER)
        assert client.get("/info/").status_code == 401
        assert client.get("/info/", headers=_bearer(text)).status_code == 200
        file.revoke(entry.id)
        answer = client.get("/info/", headers=_bearer(text))
        assert (answer.status_code, "was revoked" in answer.json()["detail"]) == (401, True)

    def test_a_file_damaged_meanwhile_lets_nobody_in(self, file: TokenFile) -> None:
        _, text = file.add("a", Role.ADMINISTRATOR)
        client = _client(_small_app(LiveTokens(file.path)))
        file.path.write_text("{")
        for headers in ({}, _bearer(text)):
            answer = client.get("/info/", headers=headers)
            assert answer.status_code == 503
            assert str(file.path) not in answer.text

    def test_with_tokens_other_machines_and_names_are_served(self, file: TokenFile) -> None:
        _, text = file.add("a", Role.READER)
        web = _small_app(LiveTokens(file.path))
        remote = _client(web, base_url="http://screening.clinic.org:8000", client=("10.0.0.1", 50000))
        assert remote.get("/info/", headers=_bearer(text)).status_code == 200

    def test_a_preflight_works_where_origins_are_named(self, file: TokenFile) -> None:
        file.add("a", Role.READER)
        client = _client(_small_app(LiveTokens(file.path), origins=(ALLOWED,)))
        asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
        answer = client.options("/info/", headers={"Origin": ALLOWED, **asked})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, ALLOWED)
        assert (
            "access-control-allow-origin"
            not in client.options("/info/", headers={"Origin": "https://evil.org", **asked}).headers
        )
        refused = client.get("/info/", headers={"Origin": ALLOWED})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, ALLOWED)

    def test_a_websocket_is_closed(self, file: TokenFile) -> None:
        _, text = file.add("a", Role.ADMINISTRATOR)
        client = _client(_small_app(LiveTokens(file.path)))
        with pytest.raises(Exception, match=r".*") as closed, client.websocket_connect("/info/", headers=_bearer(text)):
            pass
        assert getattr(closed.value, "code", None) == 1008


class TestAudit:
    def test_refused_attempts_are_written_down_without_token_or_case(self, file: TokenFile, tmp_path: Path) -> None:
        _, reader = file.add("reader-a", Role.READER)
        old, revoked = file.add("reader-b", Role.READER)
        file.revoke(old.id)
        client = _client(_small_app(LiveTokens(file.path), audit=tmp_path))
        client.get("/pneumoscreen/report/Doe^Jane")
        client.get("/info/", headers=_bearer("pns_guess"))
        client.get("/info/", headers=_bearer(revoked))
        client.delete("/datastore/image?id=Doe", headers=_bearer(reader))
        entries = list(AuditLog(tmp_path).entries())
        assert [(e["speaker"], e["action"], e["status"], e["reason"], e["route"]) for e in entries] == [
            ("nobody", "refused", 401, "missing", "/pneumoscreen/report/{image:path}"),
            ("nobody", "refused", 401, "unknown", "/info"),
            ("reader-b", "refused", 401, "revoked", "/info"),
            ("reader-a", "refused", 403, "role", "/datastore/image"),
        ]
        text = json.dumps(entries)
        assert not any(word in text for word in ("Doe", "guess", reader, revoked))

    def test_knocking_without_end_does_not_fill_the_disk(self, file: TokenFile, tmp_path: Path) -> None:
        file.add("a", Role.READER)
        client = _client(_small_app(LiveTokens(file.path), audit=tmp_path))
        for _ in range(50):
            assert client.get("/info/").status_code == 401
        assert len(list(AuditLog(tmp_path).entries())) == 1

    def test_a_log_that_cannot_be_written_opens_nothing(self, file: TokenFile, tmp_path: Path) -> None:
        file.add("a", Role.READER)
        (tmp_path / "audit").write_text("not a folder")
        client = _client(_small_app(LiveTokens(file.path), audit=tmp_path))
        assert client.get("/info/").status_code == 401


@dataclass(frozen=True)
class Protected:
    """A running server with tokens of every kind."""

    running: RunningServer
    tokens: Mapping[str, str]
    file: TokenFile

    def ask(self, method: str, path: str, token: str | None = None, **more: Any) -> requests.Response:
        """A request with a token of the given kind; a word that is no kind is sent as it is."""
        headers = {} if token is None else _bearer(self.tokens.get(token, token))
        return requests.request(
            method, self.running.client.address + path, headers=headers, timeout=60, allow_redirects=False, **more
        )


@pytest.fixture(scope="module")
def protected(studies: Path, model_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Protected]:
    """``pneumoscreen serve`` with a token file, over the studies of all tests."""
    file = TokenFile(tmp_path_factory.mktemp("tokens") / "tokens.json")
    tokens = {role.label: file.add(f"{role.label}-a", role)[1] for role in Role}
    entries = {kind: file.add(f"{kind}-a", Role.ADMINISTRATOR) for kind in ("revoked", "expired")}
    file.revoke(entries["revoked"][0].id)
    content = json.loads(file.path.read_text(encoding="utf-8"))
    content["tokens"][-1]["expires"] = "2020-01-01T00:00:00Z"
    file.path.write_text(json.dumps(content))
    tokens |= {kind: text for kind, (_, text) in entries.items()}
    tokens["wrong"] = tokens["administrator"][:-1] + ("0" if tokens["administrator"][-1] != "0" else "1")

    def client(address: str) -> Client:
        return Client(address, tokens["reader"])

    with serving(studies, model_root, tmp_path_factory, "--tokens", str(file.path), client=client) as running:
        yield Protected(running, tokens, file)


# Values that lead somewhere: a request that came past the access layer would read or change it.
_VALUES = {
    "image": "upright",
    "case": "upright",
    "case_id": "upright",
    "model": "ct_classifier",
    "name": "ct_classifier",
}
_QUERY = "?image=upright&label=upright&id=upright&tag=original&params=%7B%7D&limit_cases=1"


def _filled(path: str) -> str:
    parts = [part[1:-1].split(":")[0] if part.startswith("{") else None for part in path.split("/")]
    segments = [
        raw if name is None else _VALUES.get(name, "first") for name, raw in zip(parts, path.split("/"), strict=True)
    ]
    return "/".join(segments) + _QUERY


def _hidden_routes() -> set[tuple[str, str]]:
    """MONAI Label's routes that its description leaves out, kept here or not, and what no router lists."""
    modules = (activelearning, batch_infer, datastore, logs, model, ohif, proxy, scoring, session, train)
    found = {
        (method, route.path)
        for module in modules
        for route in module.router.routes
        for method in route.methods
        if not route.include_in_schema
    }
    pages = ("/", "/docs", "/openapi.json", "/favicon.ico", "/static/ohif/index.html", "/static", "/ohif", "/nowhere")
    return found | {("GET", page) for page in pages} | {("POST", "/reload"), ("GET", "/auth/"), ("POST", "/auth/token")}


def _routes(protected: Protected) -> list[tuple[str, str]]:
    described = protected.ask("GET", "/openapi.json", "administrator").json()["paths"]
    listed = {(method.upper(), path) for path, methods in described.items() for method in methods}
    assert len(listed) > 30
    every = listed | _hidden_routes()
    every |= {(method, path) for _, path in every for method in METHODS}
    return sorted((method, _filled(path)) for method, path in every if not is_open(method, path))


def _snapshot(*folders: Path) -> dict[str, tuple[int, str]]:
    """Every file with its time and content; the audit log is what a refused attempt may change."""
    return {
        str(path): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "")
        for folder in folders
        for path in (folder, *folder.rglob("*"))
        if "audit" not in path.relative_to(folder).parts and path != folder
    }


class TestWalk:
    """Every route of a running server, by everybody who may not."""

    def test_nobody_comes_in_and_nothing_is_read_or_changed(self, protected: Protected) -> None:
        protected.running.client.get("/info/")
        folders = (protected.running.studies, protected.running.models)
        before = _snapshot(*folders)
        routes = _routes(protected)
        refused = 0
        for method, path in routes:
            for kind in (None, "wrong", "revoked", "expired"):
                answer = protected.ask(method, path, kind)
                _assert_refused(answer, 401)
                assert answer.headers["www-authenticate"] == "Bearer"
                refused += 1
            needed = rule_for(method, path.split("?")[0]).role
            for role in Role:
                if role < needed:
                    _assert_refused(protected.ask(method, path, role.label), 403)
                    refused += 1
        print(f"{len(routes)} requests of other methods and routes, {refused} refusals")
        assert _snapshot(*folders) == before

    def test_bodies_are_not_taken_either(self, protected: Protected) -> None:
        before = _snapshot(protected.running.studies)
        files = {"file": ("new.nii.gz", b"x" * 5_000_000), "label": ("upright.nrrd", b"x")}
        for method, path in (
            ("PUT", "/datastore/image?image=new"),
            ("PUT", "/datastore/label?image=upright"),
            ("PUT", "/session/"),
        ):
            _assert_refused(protected.ask(method, path, None, files=files), 401)
        _assert_refused(protected.ask("PUT", "/datastore/image?image=new", "reader", files=files), 403)
        assert _snapshot(protected.running.studies) == before

    def test_with_the_role_it_works(self, protected: Protected) -> None:
        for role in Role:
            told = protected.ask("GET", "/pneumoscreen/whoami", role.label).json()
            assert told == {"reader": f"{role.label}-a", "role": role.label, "is_known": True, "version": __version__}
        for path in ("/", "/docs", "/openapi.json", "/static/ohif/index.html", "/ohif/", "/info/", "/datastore/"):
            assert protected.ask("GET", path, "reader").status_code == 200, path
        assert protected.ask("HEAD", "/datastore/image?image=upright", "reader").status_code == 200
        answer = protected.running.client.infer("ct_screening", "upright", output="json")
        assert answer.document["case_id"] == "upright"
        chosen = protected.ask("POST", "/activelearning/random", "reader", json={})
        assert chosen.status_code == 200, chosen.text
        label = {"label": ("upright.json", json.dumps(answer.document))}
        saved = protected.ask("PUT", "/datastore/label?image=upright&tag=walk", "reader", files=label)
        assert saved.status_code == 200, saved.text
        assert protected.ask("POST", "/scoring/none", "trainer", json={}).status_code == 404
        assert protected.ask("DELETE", "/datastore/label?id=upright&tag=walk", "trainer").status_code == 403
        gone = protected.ask("DELETE", "/datastore/label?id=upright&tag=walk", "administrator")
        assert gone.status_code == 200, gone.text

    def test_a_token_revoked_or_made_meanwhile_counts_at_once(self, protected: Protected) -> None:
        entry, text = protected.file.add("guest", Role.READER)
        assert protected.ask("GET", "/info/", text).status_code == 200
        protected.file.revoke(entry.id)
        _assert_refused(protected.ask("GET", "/info/", text), 401)

    def test_what_was_refused_is_in_the_audit_log(self, protected: Protected) -> None:
        protected.ask("DELETE", "/datastore/image?id=upright", "reader")
        refusals = [e for e in AuditLog(protected.running.studies).entries() if e["action"] == "refused"]
        assert ("reader-a", 403) in {(e["speaker"], e["status"]) for e in refusals}

    def test_tokens_stand_nowhere(self, protected: Protected) -> None:
        written = [protected.running.log, *protected.running.studies.rglob("audit*/*")]
        assert len(written) > 1
        for path in written:
            content = path.read_text(encoding="utf-8")
            assert not any(token.split("_")[-1] in content for token in protected.tokens.values())


def _assert_refused(answer: requests.Response, status: int) -> None:
    where = f"{answer.request.method} {answer.request.path_url}"
    assert answer.status_code == status, f"{where}: {answer.status_code} {answer.text[:200]}"
    if answer.request.method == "HEAD":
        assert answer.content == b""
        return
    assert answer.json().keys() == {"detail"}, where
    assert isinstance(answer.json()["detail"], str)


class TestLoopbackServer:
    """The server that most tests share: no tokens, loopback."""

    def test_its_user_is_known_to_be_unknown(self, server: RunningServer) -> None:
        told = server.client.get("/pneumoscreen/whoami").json()
        assert told == {"reader": "local", "role": "administrator", "is_known": False, "version": __version__}

    @pytest.mark.parametrize("headers", [{"Host": "evil.org"}, {"Origin": "http://evil.org"}])
    def test_a_web_page_elsewhere_reaches_nothing(self, server: RunningServer, headers: dict[str, str]) -> None:
        for method, path in (
            ("GET", "/datastore/"),
            ("PUT", "/datastore/label?image=upright"),
            ("GET", "/openapi.json"),
        ):
            answer = requests.request(method, server.client.address + path, headers=headers, timeout=30)
            _assert_refused(answer, 403)

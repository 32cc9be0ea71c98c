"""MONAI Label's OIDC against a realm on this machine: a signed token opens the server, everything like one does not."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from monailabel.config import settings

from pneumoscreen.server.access import oidc
from pneumoscreen.server.access.identity import Role, Speaker
from pneumoscreen.server.access.oidc import Realm, RealmError, TokenRefusedError
from pneumoscreen.server.access.tokens import TokenFile
from pneumoscreen.server.client import Client

from ..conftest import RunningServer, serving

NAME, PASSWORD = "ada", "correct horse"


class LocalRealm:
    """What a Keycloak realm answers, on a free port of loopback."""

    def __init__(self) -> None:
        self.key: Any = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.asked = 0
        self.is_down = False
        realm = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if realm.is_down:
                    self.send_error(500)
                elif self.path.endswith("/.well-known/openid-configuration"):
                    self._answer({"issuer": realm.uri, "token_endpoint": f"{realm.uri}/token"})
                else:
                    realm.asked += 1
                    self._answer({"realm": "clinic", "public_key": realm.public_key()})

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                if (form["username"], form["password"]) == ([NAME], [PASSWORD]):
                    self._answer({"access_token": realm.token(), "token_type": "Bearer"})
                else:
                    self.send_error(401)

            def _answer(self, document: dict[str, Any]) -> None:
                body = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_port}/realms/clinic"

    def public_key(self) -> str:
        """As Keycloak writes it: the PEM's body."""
        der = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(der).decode()

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Claims of a reader; a change to None leaves one out."""
        now = int(time.time())
        claims = {
            "iss": self.uri,
            "iat": now,
            "exp": now + 300,
            "preferred_username": NAME,
            "realm_access": {"roles": ["offline_access", "monailabel-user"]},
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, algorithm: str = "RS256", key: Any = None, **changes: Any) -> str:
        """A signed token."""
        return jwt.encode(self.claims(**changes), key or self.key, algorithm=algorithm)


@contextmanager
def running_realm() -> Iterator[LocalRealm]:
    realm = LocalRealm()
    thread = threading.Thread(target=realm.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield realm
    finally:
        realm.server.shutdown()
        realm.server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def local() -> Iterator[LocalRealm]:
    with running_realm() as realm:
        yield realm


@pytest.fixture
def realm(local: LocalRealm) -> Realm:
    return Realm(local.uri)


def _refusal(realm: Realm, token: str) -> TokenRefusedError:
    with pytest.raises(TokenRefusedError) as refused:
        realm.speaker_of(token)
    return refused.value


def _unsigned_like(token: str, header: dict[str, str], secret: bytes | None = None) -> str:
    """The claims of a token under another header, with an HMAC of ``secret`` or no signature."""
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=")
    signed = head + b"." + token.split(".")[1].encode()
    signature = b"" if secret is None else hmac.new(secret, signed, hashlib.sha256).digest()
    return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


class TestValid:
    @pytest.mark.parametrize(
        ("stock", "role"),
        [
            (["monailabel-user"], Role.READER),
            (["monailabel-annotator"], Role.READER),
            (["monailabel-user", "monailabel-reviewer"], Role.TRAINER),
            (["monailabel-admin", "monailabel-user", "other"], Role.ADMINISTRATOR),
        ],
    )
    def test_it_says_who_speaks(self, local: LocalRealm, realm: Realm, stock: list[str], role: Role) -> None:
        assert realm.speaker_of(local.token(realm_access={"roles": stock})) == Speaker(NAME, role)

    @pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256"])
    def test_by_any_algorithm_of_its_key(self, local: LocalRealm, realm: Realm, algorithm: str) -> None:
        assert realm.speaker_of(local.token(algorithm)).reader == NAME

    @pytest.mark.parametrize(
        ("make", "algorithm"),
        [(lambda: ec.generate_private_key(ec.SECP256R1()), "ES256"), (ed25519.Ed25519PrivateKey.generate, "EdDSA")],
        ids=["elliptic curve", "Edwards curve"],
    )
    def test_other_kinds_of_keys(self, make: Callable[[], Any], algorithm: str) -> None:
        with running_realm() as other:
            other.key = make()
            assert Realm(other.uri).speaker_of(other.token(algorithm)).reader == NAME

    def test_a_clock_that_runs_ahead_is_no_forgery(self, local: LocalRealm, realm: Realm) -> None:
        assert realm.speaker_of(local.token(iat=int(time.time()) + 30)).reader == NAME

    def test_roles_and_names_where_the_site_keeps_them(
        self, local: LocalRealm, realm: Realm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settings, "MONAI_LABEL_AUTH_TOKEN_ROLES", "groups")
        monkeypatch.setattr(settings, "MONAI_LABEL_AUTH_TOKEN_USERNAME", "sub")
        monkeypatch.setattr(settings, "MONAI_LABEL_AUTH_ROLE_ADMIN", "chief")
        assert realm.speaker_of(local.token(groups=["chief"], sub="grace")) == Speaker("grace", Role.ADMINISTRATOR)


class TestRefused:
    def test_expired(self, local: LocalRealm, realm: Realm) -> None:
        refusal = _refusal(realm, local.token(exp=int(time.time()) - 1))
        assert (refusal.status, refusal.reason) == (401, "expired")

    def test_not_valid_yet(self, local: LocalRealm, realm: Realm) -> None:
        assert _refusal(realm, local.token(nbf=int(time.time()) + 60)).status == 401

    def test_another_key(self, local: LocalRealm, realm: Realm) -> None:
        stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        assert _refusal(realm, local.token(key=stranger)).status == 401

    @pytest.mark.parametrize("issuer", ["http://evil.org/realms/clinic", "", None, 7])
    def test_another_issuer(self, local: LocalRealm, realm: Realm, issuer: object) -> None:
        claims = json.dumps(local.claims(iss=issuer)).encode()
        token = jwt.api_jws.encode(claims, local.key, "RS256")
        assert _refusal(realm, token).status == 401

    def test_without_an_end(self, local: LocalRealm, realm: Realm) -> None:
        assert _refusal(realm, local.token(exp=None)).status == 401

    @pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
    def test_without_a_signature(self, local: LocalRealm, realm: Realm, algorithm: str) -> None:
        token = _unsigned_like(local.token(), {"alg": algorithm, "typ": "JWT"})
        assert _refusal(realm, token).status == 401

    def test_an_hmac_by_the_public_key(self, local: LocalRealm, realm: Realm) -> None:
        pem = f"-----BEGIN PUBLIC KEY-----\n{local.public_key()}\n-----END PUBLIC KEY-----"
        own = local.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        for secret in (pem.encode(), f"{pem}\n".encode(), own, local.public_key().encode()):
            token = _unsigned_like(local.token(), {"alg": "HS256", "typ": "JWT"}, secret)
            assert _refusal(realm, token).status == 401

    def test_claims_changed_after_signing(self, local: LocalRealm, realm: Realm) -> None:
        head, _, signature = local.token().split(".")
        better = json.dumps(local.claims(realm_access={"roles": ["monailabel-admin"]})).encode()
        body = base64.urlsafe_b64encode(better).rstrip(b"=").decode()
        assert _refusal(realm, f"{head}.{body}.{signature}").status == 401

    def test_another_audience_where_one_is_set(self, local: LocalRealm) -> None:
        strict = Realm(local.uri, audience="pneumoscreen")
        assert strict.speaker_of(local.token(aud=["account", "pneumoscreen"])).reader == NAME
        for audience in ("account", None):
            assert _refusal(strict, local.token(aud=audience)).status == 401

    @pytest.mark.parametrize("roles", [None, {}, {"roles": None}, {"roles": "monailabel-admin"}, {"roles": ["x", {}]}])
    def test_without_a_role_403(self, local: LocalRealm, realm: Realm, roles: object) -> None:
        refusal = _refusal(realm, local.token(realm_access=roles))
        assert (refusal.status, refusal.reader) == (403, NAME)

    @pytest.mark.parametrize("name", [None, "", "a\nb", 7, "x" * 201])
    def test_without_a_name_that_can_stand_in_records(self, local: LocalRealm, realm: Realm, name: object) -> None:
        assert _refusal(realm, local.token(preferred_username=name)).status == 401

    @given(token=st.text() | st.from_regex(r"[\w-]{0,20}\.[\w-]{0,20}\.[\w-]{0,20}", fullmatch=True))
    @hypothesis_settings(max_examples=100, deadline=None)
    def test_anything_else(self, token: str) -> None:
        with_key = Realm("http://127.0.0.1:9/realms/clinic")
        with_key._key, with_key._fetched = _ANY_KEY, time.monotonic()
        assert _refusal(with_key, token).status == 401


_ANY_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()


class TestKey:
    def test_it_is_asked_for_once_and_again_when_it_is_old(
        self, local: LocalRealm, realm: Realm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = local.asked
        for _ in range(3):
            realm.speaker_of(local.token())
        assert local.asked == before + 1
        monkeypatch.setattr(oidc, "_KEY_LIFE_S", 0.0)
        realm.speaker_of(local.token())
        assert local.asked == before + 2

    def test_a_changed_key_is_taken_at_once_but_forged_tokens_do_not_make_it_ask(
        self, realm: Realm, local: LocalRealm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with running_realm() as changing:
            realm = Realm(changing.uri)
            old = changing.token()
            realm.speaker_of(old)
            changing.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            asked = changing.asked
            for _ in range(5):
                _refusal(realm, changing.token())
            assert changing.asked == asked, "not within seconds of the last time"
            monkeypatch.setattr(oidc, "_KEY_RETRY_S", 0.0)
            assert realm.speaker_of(changing.token()).reader == NAME
            assert _refusal(realm, old).status == 401

    def test_a_realm_that_does_not_answer_lets_nobody_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with running_realm() as failing:
            realm, token = Realm(failing.uri), failing.token()
            failing.is_down = True
            for _ in range(2):
                with pytest.raises(RealmError, match="does not answer"):
                    realm.speaker_of(token)
            failing.is_down = False
            monkeypatch.setattr(oidc, "_KEY_RETRY_S", 0.0)
            assert realm.speaker_of(token).reader == NAME

    def test_an_address_that_is_no_realm_is_a_sentence(self, local: LocalRealm) -> None:
        with pytest.raises(RealmError, match="answers without public_key"):
            Realm(f"{local.uri}/.well-known/openid-configuration").speaker_of(local.token())


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> TokenFile:
    return TokenFile(tmp_path_factory.mktemp("tokens") / "tokens.json")


@pytest.fixture(scope="module")
def server(
    local: LocalRealm, tokens: TokenFile, studies: Path, model_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server with API tokens and the realm at once."""
    tokens.add("reader-b", Role.READER)
    with serving(
        studies,
        model_root,
        tmp_path_factory,
        "--tokens",
        str(tokens.path),
        client=lambda address: Client(address, local.token()),
        MONAI_LABEL_AUTH_ENABLE="true",
        MONAI_LABEL_AUTH_REALM_URI=local.uri,
    ) as running:
        yield running


class TestServer:
    def test_both_kinds_of_tokens_open_it(self, server: RunningServer, tokens: TokenFile, local: LocalRealm) -> None:
        def told(token: str) -> tuple[str, str]:
            answer = Client(server.client.address, token).get("/pneumoscreen/whoami").json()
            return answer["reader"], answer["role"]

        assert told(local.token(realm_access={"roles": ["monailabel-reviewer"]})) == (NAME, "trainer")
        assert told(tokens.add("reader-c", Role.READER)[1]) == ("reader-c", "reader")

    def test_stock_endpoints_ask_for_this_tables_role(self, server: RunningServer, local: LocalRealm) -> None:
        def ask(method: str, path: str, role: str) -> requests.Response:
            token = local.token(realm_access={"roles": [role]})
            headers = {"Authorization": f"Bearer {token}"}
            return requests.request(method, server.client.address + path, headers=headers, json={}, timeout=30)

        assert ask("GET", "/datastore/", "monailabel-user").status_code == 200
        assert ask("POST", "/scoring/none", "monailabel-user").status_code == 403
        assert ask("POST", "/scoring/none", "monailabel-reviewer").status_code == 404
        assert ask("GET", "/logs/", "monailabel-reviewer").status_code == 403

    def test_a_forged_token_opens_nothing(self, server: RunningServer, local: LocalRealm) -> None:
        forged = _unsigned_like(local.token(), {"alg": "none"})
        for token in (forged, local.token(exp=1), ""):
            headers = {"Authorization": f"Bearer {token}"}
            answer = requests.get(f"{server.client.address}/info/", headers=headers, timeout=30)
            assert (answer.status_code, answer.json().keys()) == (401, {"detail"})

    def test_stock_clients_log_in(self, server: RunningServer, local: LocalRealm) -> None:
        address = server.client.address
        assert requests.get(f"{address}/auth/", timeout=30).json()["enabled"] is True
        form = {"username": NAME, "password": PASSWORD, "grant_type": "password"}
        token = requests.post(f"{address}/auth/token", data=form, timeout=30).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        user = requests.get(f"{address}/auth/token/valid", headers=headers, timeout=30).json()
        assert (user["username"], sorted(user["roles"])) == (NAME, ["monailabel-annotator", "monailabel-user"])
        assert requests.get(f"{address}/auth/token/valid", timeout=30).status_code == 401
        wrong = requests.post(f"{address}/auth/token", data={**form, "password": "x"}, timeout=30)
        assert (wrong.status_code, wrong.json()) == (401, {"detail": "the realm refuses this name and password"})

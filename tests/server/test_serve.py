"""The server as a process: it answers while it works, reports progress, and refuses to start with a sentence."""

import ipaddress
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pneumoscreen.server.access.identity import Role
from pneumoscreen.server.access.tokens import TokenFile
from pneumoscreen.server.client import Client, ServerError

from .conftest import RunningServer, environment, serving

INFO_LIMIT_S = 0.1


def test_info_names_the_tasks(server: RunningServer) -> None:
    info = server.client.get("/info/").json()
    assert info["models"].keys() == {"ct_screening", "ct_candidates", "ct_classifier", "cxr_screening"}
    assert info["models"]["ct_screening"]["type"] == "segmentation"
    assert info["models"]["ct_screening"]["versions"] == {"ct_candidates": 1, "ct_classifier": 1}


def test_info_answers_while_screenings_run_and_progress_tells_of_them(server: RunningServer) -> None:
    jobs = [
        threading.Thread(target=server.client.infer, args=("ct_screening", image)) for image in ("upright", "turned")
    ]
    for job in jobs:
        job.start()
    times, stages, waiting = [], set(), 0
    while any(job.is_alive() for job in jobs):
        start = time.perf_counter()
        server.client.get("/info/")
        times.append(time.perf_counter() - start)
        listed = server.client.get("/pneumoscreen/progress").json()["jobs"]
        running = [job["stage"] for job in listed if job["state"] == "running"]
        assert len(running) <= 1, "one inference at a time"
        stages |= set(running)
        if running:
            # Before one of them has its turn, both wait.
            waiting = max(waiting, sum(job["state"] == "queued" for job in listed))
        time.sleep(0.02)
    assert len(times) >= 5
    median = statistics.median(times)
    print(f"/info/ meanwhile: median {median * 1000:.1f} ms, worst {max(times) * 1000:.0f} ms of {len(times)}")
    assert median < INFO_LIMIT_S
    assert waiting == 1
    assert {"lungs", "candidates"} & stages
    done = server.client.progress("upright")
    assert done is not None
    assert (done["state"], done["fraction"]) == ("done", 1.0)


def test_a_screening_can_be_cancelled(server: RunningServer) -> None:
    answers: list[requests.Response] = []

    def ask() -> None:
        url = f"{server.client.address}/infer/ct_screening"
        answers.append(requests.post(url, params={"image": "upright"}, timeout=120))

    job = threading.Thread(target=ask)
    job.start()
    listed: list[dict[str, str]] = []
    while job.is_alive() and not listed:
        listed = server.client.get("/pneumoscreen/progress").json()["jobs"]
    requests.post(f"{server.client.address}/pneumoscreen/cancel/{listed[0]['id']}", timeout=30)
    job.join()
    assert answers[0].status_code == 409
    assert "cancelled" in answers[0].json()["detail"] and answers[0].json()["cancelled"] is True
    now = server.client.progress("upright")
    assert now is not None
    assert now["state"] == "cancelled"


def start(*arguments: str, models: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pneumoscreen", "serve", *arguments]
    return subprocess.run(
        command, env=environment(models), capture_output=True, encoding="utf-8", timeout=120, check=False
    )


def test_a_port_in_use_is_one_sentence(server: RunningServer) -> None:
    port = server.client.address.rsplit(":", 1)[1]
    result = start("--studies", str(server.studies), "--port", port, models=server.models)
    assert result.returncode == 2
    assert result.stderr.strip().splitlines() == [f"port {port} on 127.0.0.1 is in use; choose another with --port"]


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path, model_root: Path) -> None:
    result = start("--studies", str(tmp_path / "nowhere"), "--port", "0", models=model_root)
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert "nowhere does not exist" in result.stderr


def test_the_server_listens_on_this_machine_only(server: RunningServer) -> None:
    port = int(server.client.address.rsplit(":", 1)[1])
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    if not others:
        pytest.skip("this machine has no other address")
    with pytest.raises(OSError, match=r".*"), socket.create_connection((others.pop(), port), timeout=2):
        pass


def test_the_client_says_when_nobody_is_there() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ServerError, match="does not answer"):
        Client(f"http://127.0.0.1:{port}").get("/info/")


EVERY_ADDRESS = "0.0.0.0"
PASSWORD = "secret"


@dataclass(frozen=True)
class Certificate:
    """PEM files of a certificate for 127.0.0.1."""

    certificate: Path
    key: Path
    locked_key: Path


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return _self_signed(tmp_path_factory.mktemp("tls"))


def _self_signed(folder: Path) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pneumoscreen test")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    made = Certificate(folder / "server.crt", folder / "server.key", folder / "locked.key")
    made.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    made.key.write_bytes(key.private_bytes(*form, serialization.NoEncryption()))
    made.locked_key.write_bytes(key.private_bytes(*form, serialization.BestAvailableEncryption(PASSWORD.encode())))
    return made


def test_what_stops_a_start_does_not_wait_for_torch(model_root: Path) -> None:
    code = (
        "import sys; import pneumoscreen.server.serve, pneumoscreen.tls, pneumoscreen.commands.tokens; "
        "sys.exit(bool({'torch', 'monailabel', 'SimpleITK'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(model_root), timeout=60, check=False)
    assert done.returncode == 0


class TestOpenAddress:
    """An address that other machines reach: not without knowing who speaks."""

    @pytest.mark.parametrize("host", [EVERY_ADDRESS, "::"])
    def test_without_tokens_it_does_not_start_and_says_how_to_make_one(
        self, host: str, tmp_path: Path, model_root: Path
    ) -> None:
        result = start("--studies", str(tmp_path), "--port", "0", "--host", host, models=model_root)
        assert result.returncode == 2
        (line,) = result.stderr.strip().splitlines()
        assert line.startswith(f"{host} can be reached by other machines")
        assert line.endswith("pneumoscreen tokens add --reader NAME --role administrator")

    def test_a_revoked_token_is_none(self, tmp_path: Path, model_root: Path) -> None:
        file = TokenFile(tmp_path / "tokens.json")
        file.revoke(file.add("a", Role.ADMINISTRATOR)[0].id)
        words = ("--studies", str(tmp_path), "--port", "0", "--host", EVERY_ADDRESS, "--tokens", str(file.path))
        result = start(*words, models=model_root)
        assert result.returncode == 2
        assert result.stderr.strip().endswith(f"--role administrator --tokens {file.path}")

    def test_without_tls_it_warns(self, tmp_path: Path, model_root: Path) -> None:
        file = TokenFile(tmp_path / "tokens.json")
        file.add("a", Role.READER)
        with socket.socket() as taken:
            taken.bind((EVERY_ADDRESS, 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            words = ("--studies", str(tmp_path), "--port", port, "--host", EVERY_ADDRESS, "--tokens", str(file.path))
            result = start(*words, models=model_root)
        warning, refusal = result.stderr.strip().splitlines()
        assert "in clear" in warning and "--ssl-certfile" in warning
        assert f"port {port} on {EVERY_ADDRESS} is in use" in refusal


@pytest.mark.parametrize("content", [b"{", b"", b'{"schema": "x", "tokens": []}'])
def test_a_damaged_token_file_stops_it_on_loopback_too(tmp_path: Path, model_root: Path, content: bytes) -> None:
    (tmp_path / "tokens.json").write_bytes(content)
    words = ("--studies", str(tmp_path), "--port", "0", "--tokens", str(tmp_path / "tokens.json"))
    result = start(*words, models=model_root)
    assert (result.returncode, result.stdout, len(result.stderr.strip().splitlines())) == (2, "", 1)
    assert "tokens.json is damaged" in result.stderr


class TestTls:
    def test_it_serves_https_to_other_machines(
        self, certificate: Certificate, studies: Path, model_root: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        file = TokenFile(tmp_path_factory.mktemp("tokens") / "tokens.json")
        _, token = file.add("reader-a", Role.READER)
        files = ("--ssl-certfile", str(certificate.certificate), "--ssl-keyfile", str(certificate.locked_key))
        with serving(
            studies,
            model_root,
            tmp_path_factory,
            *("--host", EVERY_ADDRESS, "--tokens", str(file.path), *files),
            client=lambda address: Client(address.replace("http:", "https:"), token, verify=certificate.certificate),
            PNEUMOSCREEN_SSL_KEYFILE_PASSWORD=PASSWORD,
        ) as server:
            assert server.client.get("/pneumoscreen/whoami").json()["reader"] == "reader-a"
            printed = server.log.read_text(encoding="utf-8")
            assert f" at https://{EVERY_ADDRESS}:" in printed
            assert "in clear" not in printed
            address = server.client.address
            with pytest.raises(ServerError, match="does not answer"):
                Client(address, token).get("/info/")  # nobody vouches for this certificate
            with pytest.raises(ServerError, match="does not answer"):
                Client(address.replace("https:", "http:"), token).get("/info/")
            assert _agreed_version(address, certificate) == "TLSv1.3"
            with pytest.raises(ssl.SSLError):
                _agreed_version(address, certificate, ssl.TLSVersion.TLSv1_1)

    def test_what_cannot_be_used_is_one_sentence(
        self, certificate: Certificate, tmp_path: Path, model_root: Path
    ) -> None:
        other = _self_signed(tmp_path)
        junk = tmp_path / "junk.pem"
        junk.write_text("junk")
        refused = {
            ("nowhere.pem", certificate.key): "nowhere.pem cannot be read for TLS",
            (certificate.certificate, "nowhere.pem"): "nowhere.pem cannot be read for TLS",
            (certificate.certificate, tmp_path): "cannot be read for TLS",
            (certificate.certificate, other.key): "does not belong to the certificate",
            (certificate.certificate, certificate.locked_key): "needs its password",
            (junk, certificate.key): "holds no certificate in PEM form",
            (certificate.certificate, junk): "holds no private key in PEM form",
            (certificate.certificate, None): "--ssl-certfile is given without --ssl-keyfile",
            (None, certificate.key): "--ssl-keyfile is given without --ssl-certfile",
        }
        for (chain, key), said in refused.items():
            words = ["--studies", str(tmp_path), "--port", "0"]
            words += ["--ssl-certfile", str(chain)] if chain else []
            words += ["--ssl_keyfile", str(key)] if key else []
            result = start(*words, models=model_root)
            assert (result.returncode, len(result.stderr.strip().splitlines())) == (2, 1), result.stderr
            assert said in result.stderr


def _agreed_version(
    address: str, certificate: Certificate, highest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED
) -> str | None:
    context = ssl.create_default_context(cafile=str(certificate.certificate))
    context.maximum_version = highest
    host, port = address.removeprefix("https://").split(":")
    with (
        socket.create_connection((host, int(port)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        return secure.version()

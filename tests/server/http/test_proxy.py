"""nginx (Debian's package) in front of the server: TLS and a prefix, by the recipe of ``deploy/nginx.conf``."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from pneumoscreen.server.access.identity import Role
from pneumoscreen.server.access.permissions import path_of, route_of
from pneumoscreen.server.access.tokens import TokenFile
from pneumoscreen.server.client import Client
from pneumoscreen.server.failures import ServeError
from pneumoscreen.server.serve import _prefix
from pneumoscreen.studies.audit import AuditLog
from PneumoScreenLib.client.server import Server

from ..conftest import REPOSITORY, RunningServer, free_port, serving
from ..test_serve import Certificate, certificate  # noqa: F401

PREFIX = "/pneumoscreen"


@dataclass(frozen=True)
class Proxied:
    """A server behind nginx."""

    address: str
    token: str
    certificate: Path
    running: RunningServer

    def ask(self, path: str, method: str = "GET", **headers: str) -> requests.Response:
        """A request to nginx."""
        sent = {"Authorization": f"Bearer {self.token}", **headers}
        return requests.request(
            method, self.address + path, headers=sent, verify=self.certificate, timeout=60, allow_redirects=False
        )


@pytest.fixture(scope="module")
def proxied(
    studies: Path,
    model_root: Path,
    tmp_path_factory: pytest.TempPathFactory,
    certificate: Certificate,  # noqa: F811
) -> Iterator[Proxied]:
    """The server as an administrator would set it up."""
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if nginx is None:
        pytest.skip("no nginx on this machine: apt-get install nginx")
    file = TokenFile(tmp_path_factory.mktemp("tokens") / "tokens.json")
    _, token = file.add("reader-a", Role.READER)
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    options = ("--root-path", f"{PREFIX}/", "--tokens", str(file.path))
    own = tmp_path_factory.mktemp("studies")
    shutil.copy(studies / "upright.nii.gz", own)

    def direct(address: str) -> Client:
        return Client(address, token)

    with serving(own, model_root, tmp_path_factory, *options, client=direct) as running:
        recipe = (REPOSITORY / "deploy" / "nginx.conf").read_text(encoding="utf-8")
        changed = {
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "/etc/pneumoscreen/server.crt": str(certificate.certificate),
            "/etc/pneumoscreen/server.key": str(certificate.key),
            "http://127.0.0.1:8000/": f"{running.client.address}/",
        }
        for old, new in changed.items():
            assert recipe.count(old) == 1, old
            recipe = recipe.replace(old, new)
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
        (folder / "nginx.conf").write_text(
            f"{'user root;' if os.geteuid() == 0 else ''} daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
            f"events {{}}\nhttp {{ access_log off; {temporary}\n{recipe}\n}}\n"
        )
        process = subprocess.Popen([nginx, "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])
        try:
            _wait_for(port, process)
            yield Proxied(f"https://127.0.0.1:{port}{PREFIX}", token, certificate.certificate, running)
        finally:
            process.terminate()
            process.wait(60)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("nginx did not start")


def test_the_extension_works_under_the_prefix(proxied: Proxied, tmp_path: Path) -> None:
    server = Server(proxied.address, proxied.token, str(proxied.certificate))
    assert server.describe()["user"] == "reader-a"
    assert [row["id"] for row in server.worklist()] == ["upright"]
    assert server.next_case("random")["id"] == "upright"
    assert Path(server.download("upright", str(tmp_path))).stat().st_size > 100_000
    assert server.screen("upright")["case_id"] == "upright"
    assert Path(server.masks("upright", str(tmp_path))).is_file()
    server.release("upright")


def test_report_pages_and_viewer_lead_nowhere_else(proxied: Proxied) -> None:
    Client(proxied.address, proxied.token, verify=proxied.certificate).infer("ct_screening", "upright", output="json")
    pages = {path: proxied.ask(path) for path in ("/", "/docs", "/pneumoscreen/report/upright", "/ohif/")}
    for path, page in pages.items():
        assert page.status_code == 200, path
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        links = re.findall(r"""(?:href|src|content)=["'](/[^"']*)""", page.text)
        assert all(link.startswith(f"{PREFIX}/") for link in links), (path, links)
    assert "script" not in pages["/"].headers["Content-Security-Policy"]
    assert f"window.PUBLIC_URL = '{PREFIX}/ohif/'" in pages["/ohif/"].text
    assert f"routerBasename: '{PREFIX}/ohif/'" in proxied.ask("/ohif/app-config.js").text
    scripts = re.findall(rf"""src=["']{PREFIX}(/ohif/[^"']*\.js)""", pages["/ohif/"].text)
    assert scripts and all(proxied.ask(script).status_code == 200 for script in scripts)
    description = re.findall(rf"""href=["']{PREFIX}(/openapi\.json)""", pages["/"].text)
    assert proxied.ask(description[0]).json()["servers"] == [{"url": PREFIX}]


def test_a_redirect_stays_under_the_prefix_and_tls(proxied: Proxied) -> None:
    assert proxied.ask("/info").headers["Location"] == f"{proxied.address}/info/"
    assert proxied.ask("").headers["Location"] == f"{proxied.address}/"


def test_the_door_is_shut_under_the_prefix_too(proxied: Proxied) -> None:
    assert proxied.ask("/health/ready", Authorization="").status_code == 200
    assert proxied.ask("/info/", Authorization="").status_code == 401
    assert proxied.ask("/logs/").status_code == 403
    assert proxied.ask("/metrics").status_code == 404, "figures are for whoever asks the server itself"
    for path in ("/health/live/../../logs/", "/health/live%2f..%2f..%2flogs/", "//logs/", "/pneumoscreen/logs/"):
        assert proxied.ask(path).status_code in (403, 404), path
    direct = proxied.running.client.address
    assert requests.get(f"{direct}{PREFIX}/info/", timeout=30).status_code == 401


def test_the_audit_log_has_the_proxys_word_and_not_the_clients(proxied: Proxied) -> None:
    forged = {"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7", "X-Real-IP": "203.0.113.7"}
    proxied.ask("/info/", Authorization="Bearer pns_x", **forged)
    clients = {entry["client"] for entry in AuditLog(proxied.running.studies).entries() if "client" in entry}
    assert clients == {"127.0.0.1"}


@pytest.mark.parametrize("text", ["/a b", "/../x", "/a?b", "http://x/y", '/"', "/é"])
def test_what_is_no_prefix_is_refused(text: str) -> None:
    with pytest.raises(ServeError, match="--root-path"):
        _prefix(text)


def test_a_prefix_is_taken_with_and_without_its_slashes() -> None:
    assert [_prefix(text) for text in ("", "/", "a", "/a/", "a/b")] == ["", "", "/a", "/a", "/a/b"]


def test_the_path_is_what_the_router_goes_by() -> None:
    scope = {"type": "http", "method": "GET", "path": "/a/info/", "root_path": "/a"}
    assert path_of(scope) == "/info/"
    assert route_of({**scope, "path": "/a/pneumoscreen/report/Doe"}) == "/pneumoscreen/report/{image:path}"
    assert route_of({**scope, "path": "/a/health/live"}) == "/health/live"
    assert path_of({**scope, "path": "/ab/info/"}) == "/ab/info/", "another prefix that begins alike"

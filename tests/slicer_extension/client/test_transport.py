"""What a server can do to its client, each with its own plain sentence; none of it is done by our own server."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.slicer_extension.doubles.misbehaving import misbehaving

from PneumoScreenLib.client.failures import ServerError
from PneumoScreenLib.client.server import Server
from PneumoScreenLib.client.transport import Transport


@contextmanager
def raw(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A listener that writes bytes and hangs up: the next answer at each connection, the last one for ever."""
    listener, heard = socket.create_server(("127.0.0.1", 0)), []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                heard.append(connection.recv(65536))
                connection.sendall(answers[min(len(heard), len(answers)) - 1])

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
    finally:
        listener.close()


def answer(status: str, body: bytes = b"{}", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def failure_at(address: str, token: str | None = None, answer_s: float = 5.0) -> ServerError:
    with pytest.raises(ServerError) as caught:
        Server(address, token, reader="dr-a", answer_s=answer_s).annotations("ct-1")
    error = caught.value
    assert str(error).endswith(".") and "\n" not in str(error) and "Error" not in str(error)
    return error


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, b'{"detail": "this token has expired"}', "denied", "this token has expired"),
        (401, b"", "denied", "enter your API token under Connect"),
        (403, b'{"detail": "this needs the role trainer"}', "denied", "this needs the role trainer"),
        (404, b'{"detail": "there is no case ct-1"}', "missing", "There is no case ct-1"),
        (404, b'{"detail": "Not Found"}', "missing", "does not offer this"),
        (409, b'{"detail": "dr-b was faster", "other": {"version": 3}}', "conflict", "Dr-b was faster"),
        (409, b"<html>", "conflict", "somebody else"),
        (422, b'{"detail": "field regions[0].id is missing."}', "refused", "field regions[0].id"),
        (429, b'{"detail": "a training is running"}', "refused", "training is running"),
        (500, b'{"detail": "its log has the reason under 1a2b"}', "fault", "under 1a2b"),
        (500, b"Traceback (most recent call last):", "fault", "status 500"),
        (200, b"<html>hello</html>", "rubbish", "cannot be understood"),
        (200, b"\xff\xfe", "rubbish", "cannot be understood"),
        (200, b"[1, 2]", "rubbish", "cannot be understood"),
        (200, b"[" * 100_000, "rubbish", "cannot be understood"),
        (307, b"", "rubbish", "elsewhere"),
    ],
)
def test_every_answer_has_its_own_sentence(status: int, body: bytes, kind: str, words: str) -> None:
    with misbehaving(status, body) as address:
        error = failure_at(address)
    assert (error.kind, error.status) == (kind, status)
    assert words.casefold() in str(error).casefold() and "Traceback" not in str(error)


def test_a_conflict_says_who_and_what() -> None:
    body = b'{"detail": "dr-b was faster", "other": {"version": 3, "reader": "dr-b"}}'
    with misbehaving(409, body) as address, pytest.raises(ServerError) as caught:
        Server(address).submit("ct-1", {"schema": "x"}, 2)
    assert caught.value.detail["other"] == {"version": 3, "reader": "dr-b"}


def test_a_token_that_was_sent_is_to_be_checked() -> None:
    with misbehaving(401, b"") as address:
        assert "check the token" in str(failure_at(address, "secret"))


def test_a_slow_server() -> None:
    with misbehaving(delay_s=3.0) as address:
        start = time.monotonic()
        error = failure_at(address, answer_s=0.5)
    assert error.kind == "timeout" and "0.5 s" in str(error)
    assert time.monotonic() - start < 2.5


def test_an_answer_in_drops_does_not_last_for_ever() -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n")
                for _ in range(100):
                    connection.sendall(b" " * 2048)
                    time.sleep(0.1)
            except OSError:
                return

    threading.Thread(target=drip, daemon=True).start()
    start = time.monotonic()
    error = failure_at(f"http://127.0.0.1:{listener.getsockname()[1]}", answer_s=0.4)
    listener.close()
    assert error.kind == "timeout" and time.monotonic() - start < 6.0


def test_nobody_listens() -> None:
    error = failure_at("http://127.0.0.1:9")
    assert error.kind == "unreachable" and "nothing listens there" in str(error) and "nothing is lost" in str(error)


def test_a_name_that_is_unknown() -> None:
    error = failure_at("http://no-such-host.invalid")
    assert error.kind == "unreachable" and "no computer of this name" in str(error)


@pytest.mark.parametrize(
    "address",
    ["", "http://", "ftp://host", "http://a b", "http://host:port", "http://[1", "http://u:p@host", "http://..:1"],
)
def test_what_is_no_address(address: str) -> None:
    error = failure_at(address)
    assert error.kind == "unreachable" and "write it like http://127.0.0.1:8000" in str(error)


def test_a_server_that_hangs_up() -> None:
    with raw(b"") as (address, _):
        error = failure_at(address)
    assert error.kind == "unreachable" and "broke off" in str(error)


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x00" * 70_000 + b"\r\n\r\n"])
def test_what_is_no_http(said: bytes) -> None:
    with raw(said) as (address, _):
        error = failure_at(address)
    assert error.kind == "rubbish" and "PneumoScreen server" in str(error)


def test_a_body_that_is_cut_short() -> None:
    with raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{") as (address, _):
        assert failure_at(address).kind in ("unreachable", "rubbish")


def test_https_where_none_is_spoken() -> None:
    with misbehaving() as address:
        error = failure_at(address.replace("http:", "https:"))
    assert error.kind == "tls" and "http://" in str(error)


def test_a_certificate_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ServerError) as caught:
        Server("https://127.0.0.1:9", ca_file=str(tmp_path / "none.pem")).training()
    assert caught.value.kind == "tls" and "choose it again" in str(caught.value)


def test_a_token_that_is_none() -> None:
    with pytest.raises(ServerError, match="copy it again"):
        Server("127.0.0.1:9", token="tok\nen")
    with pytest.raises(ServerError, match="copy it again"):
        Server("127.0.0.1:9", token="tökén")


def test_reads_are_tried_again_and_nothing_else() -> None:
    busy, fine = answer("503 Busy"), answer("200 OK", b'{"versions": []}')
    with raw(busy, b"", fine) as (address, heard):
        assert Server(address).annotations("ct-1") == {"versions": []}
    assert len(heard) == 3
    with raw(busy, fine) as (address, heard), pytest.raises(ServerError) as caught:
        Server(address).train("ct_classifier")
    assert caught.value.kind == "fault" and len(heard) == 1


def test_the_token_goes_with_the_request_and_never_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password secret-of-netrc\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with raw(answer("200 OK", b'{"versions": []}')) as (address, heard):
        Server(address, "my-token").annotations("ct 1/ä")
        Server(address).annotations("ct-1")
    assert b"Authorization: Bearer my-token\r\n" in heard[0] and b"annotations/ct%201%2F%C3%A4 " in heard[0]
    assert b"authorization" not in heard[1].lower()
    with raw(answer("200 OK", b'{"versions": []}')) as (other, heard_there):
        with raw(answer("302 Found", b"", f"Location: {other}/")) as (address, _):
            assert failure_at(address, "my-token").kind == "rubbish"
        assert heard_there == []


def test_an_address_needs_no_scheme() -> None:
    assert Transport(" 10.0.0.1:8000/ ").address == "http://10.0.0.1:8000"

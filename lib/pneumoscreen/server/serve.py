"""``pneumoscreen serve``: the MONAI Label server on this machine only, unless told otherwise."""

import contextlib
import errno
import gc
import io
import os
import re
import signal
import socket
import ssl
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from ..limits import Limits
from ..models.places import app_folder
from ..studies.layout import FOLLOW_VARIABLE
from ..subprocesses.parent import end_with_parent
from ..tls import TlsFiles
from .access.loopback import is_loopback
from .access.tokens import NO_TOKENS, TOKENS_VARIABLE, TokenFile, command_to_make_one, configured_file
from .failures import ServeError
from .logs import LogChoice, set_up_log
from .store.migration import bring_up_to_date
from .store.temporary import own_folder

DEFAULT_APP = app_folder()

Where = tuple[socket.AddressFamily, socket.SocketKind, int, Any]
"""A socket's family, kind, protocol and address."""

_GRACE_S = 5


def serve(
    studies: Path,
    host: str = "127.0.0.1",
    port: int = 8000,
    app_dir: Path | None = None,
    tokens: Path | None = None,
    tls: TlsFiles | None = None,
    follow_links: Sequence[Path] = (),
    log: LogChoice | None = None,
    root_path: str = "",
) -> None:
    """Serve a folder of studies until interrupted.

    Args:
        studies: folder of images; labels and reports are kept in it.
        host: address to listen on. Ours: this machine only; the stock server listens to everybody.
        port: 0 takes a free one; the line that is printed once the server stands names it.
        app_dir: folder with the app's ``main.py`` and ``model``.
        tokens: file of the API tokens; by default the environment's or the user's.
        tls: certificate and key; None serves plain HTTP.
        follow_links: folders outside of the studies that links in them may lead to.
        log: how and where the log is written; default: text to standard error.
        root_path: prefix under which a proxy shows the server; the proxy takes it off.

    Raises:
        ServeError: if folder, address, port or the files for TLS cannot be used, or the address is open to others and
            nobody could say who they are.
        TokensError: if the token file cannot be used.
        StateError: if a newer program has written into the studies folder.
        ConfigError: if a variable of the environment sets a limit to what is none.
    """
    _end_with_parent()
    studies, app_dir = _usable(studies), (app_dir or DEFAULT_APP).resolve()
    if not (app_dir / "main.py").is_file():
        raise ServeError(f"{app_dir} holds no main.py; name the app's folder")
    _allow_links(follow_links)
    root_path = _prefix(root_path)
    Limits.of_environment()
    # Before the imports: what is wrong is reported at once, not after ten seconds.
    context = tls.context() if tls is not None else None
    where = _resolve(host, port)
    _require_speakers(host, where, tokens)
    if context is None and not is_loopback(where[-1][0]):
        warning = "No TLS: tokens and scans travel in clear; see --ssl-certfile and --ssl-keyfile"
        print(warning, file=sys.stderr, flush=True)
    set_up_log(log or LogChoice())
    bring_up_to_date(studies)
    listener = _bind(where, host, port)
    with contextlib.closing(listener), own_folder():
        _run(studies, app_dir, listener, context, root_path)


def _allow_links(folders: Sequence[Path]) -> None:
    """Tell this process and those that it starts where links may lead."""
    for folder in folders:
        if not folder.is_dir():
            raise ServeError(f"--follow-links {folder} is no folder; name one that links in the studies lead to")
    if folders:
        os.environ[FOLLOW_VARIABLE] = os.pathsep.join(os.path.realpath(folder) for folder in folders)


def _require_speakers(host: str, where: Where, tokens: Path | None) -> None:
    """Refuse an address that others can reach while nobody can say who they are."""
    path = configured_file(tokens)
    entries = TokenFile(path).read() if path is not None else ()
    if tokens is not None:
        os.environ[TOKENS_VARIABLE] = NO_TOKENS if path is None else str(path)  # where the app looks
    if is_loopback(where[-1][0]) or any(token.state == "active" for token in entries):
        return
    from .access.oidc import is_switched_on

    if not is_switched_on():
        raise ServeError(
            f"{host} can be reached by other machines and there is no valid token to know their users by; "
            f"make one with: {command_to_make_one(path)}"
        )


def _run(studies: Path, app_dir: Path, listener: socket.socket, tls: ssl.SSLContext | None, root_path: str) -> None:
    import uvicorn

    with contextlib.redirect_stdout(io.StringIO()):  # it prints origins that this server does not allow
        import monailabel.app as stock
    from monailabel.interfaces.utils.app import app_instance

    from .http.connections import LimitedProtocol
    from .monailabel_settings import apply_defaults, share_with_subprocesses

    LimitedProtocol.limits = Limits.of_environment()
    host, port = listener.getsockname()[:2]
    apply_defaults()
    share_with_subprocesses(str(app_dir), str(studies), port)
    address = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}/"

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                # What is imported stays for good: collections pass over it, and the end does not walk through it,
                # which takes longer than all else that stops the server.
                gc.freeze()
                print(f"PneumoScreen serves {studies} at {address} (Ctrl-C stops it)", flush=True)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            app_instance().board.cancel_all()
            app_instance().scoring_process.stop()  # at its priority it may be long in noticing the end by itself
            super().handle_exit(sig, frame)

    config = uvicorn.Config(
        stock.app,
        log_config=None,
        access_log=False,
        root_path=root_path,
        http=LimitedProtocol,
        timeout_graceful_shutdown=_GRACE_S,
        ssl_context_factory=(lambda _config, _default: tls) if tls is not None else None,
    )
    server = Server(config)
    server.run(sockets=[listener])
    if not server.started:
        raise ServeError("the server could not start; the lines above say why")


def _end_with_parent() -> None:
    def end() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(2 * _GRACE_S)
        os._exit(1)  # an inference that does not come to its next step in time

    end_with_parent(end)


def _prefix(root_path: str) -> str:
    """The prefix as it stands before a path: with a slash in front and none at its end."""
    if not root_path.strip("/"):
        return ""
    prefix = "/" + root_path.strip("/")
    if not re.fullmatch(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+", prefix):
        raise ServeError(f"--root-path {root_path} is no prefix of an address; write one such as /pneumoscreen")
    return prefix


def _usable(studies: Path) -> Path:
    if not studies.is_dir():
        reason = "is not a folder" if studies.exists() else "does not exist"
        raise ServeError(f"{studies} {reason}; name the folder that holds the studies")
    if not os.access(studies, os.R_OK | os.X_OK):
        raise ServeError(f"{studies} may not be read by this account; name the folder that holds the studies")
    return studies.resolve()


def _resolve(host: str, port: int) -> Where:
    if not 0 <= port <= 65535:
        raise ServeError(f"port {port} is not between 0 and 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError) as error:
        raise ServeError(f"host {host!r} is not an address of this machine ({error})") from None
    return family, kind, protocol, address


def _bind(where: Where, host: str, port: int) -> socket.socket:
    family, kind, protocol, address = where
    listener = socket.socket(family, kind, protocol)
    if os.name == "posix" and sys.platform != "cygwin":
        # After a restart the old connections still linger; a server that listens is refused all the same.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ServeError(f"port {port} on {host} is in use; choose another with --port") from None
        raise ServeError(f"cannot listen on {host} port {port}: {error.strerror}") from None
    return listener

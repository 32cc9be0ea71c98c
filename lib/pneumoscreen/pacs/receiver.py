"""A C-STORE receiver: scanners and PACS send to it by DICOM; what it takes lies in ``Incoming`` before it says so."""

import logging
import ssl
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    EnhancedCTImageStorage,
)
from pynetdicom import AE, _config, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event

from ..errors import ConfigError
from ..images.dicom_encoding import SYNTAXES
from .bounds import OPENING_S, SILENCE_S, BoundedDimse, BoundedServer
from .incoming import FullError, Incoming, RefusedError

CLASSES = (
    CTImageStorage, EnhancedCTImageStorage, ComputedRadiographyImageStorage, DigitalXRayImageStorageForPresentation,
)  # fmt: skip
_VERIFICATION = "1.2.840.10008.1.1"
_FAULT = 0xC001
_MOST_ASSOCIATIONS = 10
_LONGEST_TITLE = 16


@dataclass(frozen=True)
class Listening:
    """Where and to whom the receiver listens.

    Attributes:
        title: its own AE title; who calls another one is rejected.
        host: address of this machine; port 0 takes a free one.
        port: of it.
        allowed: AE titles that may call.
        most_pdu: bytes of a PDU that it takes.
        most_of_image: bytes of an image that it takes.
        tls: its side of TLS; None: none.
    """

    title: str
    host: str
    port: int
    allowed: Sequence[str]
    most_pdu: int
    most_of_image: int
    tls: ssl.SSLContext | None = None


class Receiver:
    """Listens from ``start`` to ``stop``.

    Args:
        listening: where and to whom.
        incoming: takes what comes.
        folder: for what is not complete yet, on the disk of ``incoming``.
        tell: takes a line for what is refused; it holds nothing that a header says but UIDs.
    """

    def __init__(self, listening: Listening, incoming: Incoming, folder: Path, tell: Callable[[str], None]) -> None:
        for title in (listening.title, *listening.allowed):
            require_title(title)
        self._listening, self._incoming, self._folder, self._tell = listening, incoming, folder, tell
        self._entity = AE(listening.title)
        self._entity.require_calling_aet = list(listening.allowed)
        self._entity.require_called_aet = True
        self._entity.maximum_pdu_size = listening.most_pdu
        self._entity.maximum_associations = _MOST_ASSOCIATIONS
        self._entity.network_timeout = self._entity.dimse_timeout = SILENCE_S
        self._entity.acse_timeout = OPENING_S
        self._entity.add_supported_context(_VERIFICATION)
        for kind in CLASSES:
            self._entity.add_supported_context(kind, sorted(syntax for syntax in SYNTAXES if syntax))

    def start(self) -> int:
        """Listen; returns the port.

        Raises:
            ConfigError: if the address cannot be listened on.
        """
        # What pynetdicom says may quote a header.
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in self._folder.iterdir():
            left.unlink()
        # pynetdicom writes images as they come where Python's temporary files are: on the disk where they stay.
        tempfile.tempdir = str(self._folder)
        _config.STORE_RECV_CHUNKED_DATASET = True
        host, port = self._listening.host, self._listening.port
        try:
            server = self._entity.make_server(
                (host, port),
                ssl_context=self._listening.tls,
                evt_handlers=[
                    (evt.EVT_C_STORE, self._stored),
                    (evt.EVT_REJECTED, self._rejected),
                    (evt.EVT_CONN_CLOSE, self._closed),
                ],
                server_class=BoundedServer,
                most_of_image=self._listening.most_of_image,
            )
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ConfigError(
                f"--port {port}: cannot be listened on at {host} ({reason}); choose another one"
            ) from None
        threading.Thread(target=server.serve_forever, args=(0.1,), name="C-STORE", daemon=True).start()
        self._entity._servers.append(server)
        return int(server.server_address[1])

    def stop(self) -> None:
        """End all associations, and listen no more."""
        self._entity.shutdown()

    def _stored(self, event: Event) -> int:
        request = cast(C_STORE, event.request)
        try:
            # Of the class, what was agreed on counts, and not what the command says.
            kind, instance = str(event.context.abstract_syntax), str(request.AffectedSOPInstanceUID)
            self._incoming.take(event.dataset_path, kind, instance, event.assoc)
            return 0
        except RefusedError as error:
            status, reason = error.status, str(error)
        except OSError as error:
            status, reason = FullError.status, f"the folder of the state cannot be written ({error.strerror})"
        except Exception as error:
            status, reason = _FAULT, f"a fault of the program ({type(error).__name__}); please report it"
        self._tell(f"refused with status {status:04X}: {reason}")
        return status

    def _closed(self, event: Event) -> None:
        cast(BoundedDimse, event.assoc.dimse).forget()
        self._incoming.closed(event.assoc)

    def _rejected(self, event: Event) -> None:
        """A title is a name that a site gives to a machine; one that is not allowed may be any text."""
        self._tell("an association was rejected: its AE titles are not those that are allowed, or there are too many")


def require_title(title: str) -> None:
    """Refuse what is no AE title.

    Raises:
        ConfigError: if it is none.
    """
    is_title = title.isascii() and title.isprintable() and "\\" not in title and title == title.strip()
    if not (is_title and 0 < len(title) <= _LONGEST_TITLE):
        raise ConfigError(f"{title!r} is no AE title; give 1 to {_LONGEST_TITLE} letters, digits and signs but \\")

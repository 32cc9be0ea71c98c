"""What one peer may make the C-STORE receiver hold: pynetdicom believes every length, and keeps whatever comes.

A PDU is refused by its header, before it is read; what an image has beyond its limit is let go as it comes, and its
sender hears so at the end; a peer that is silent or does not wait for answers is cut off.
"""

import socket
import threading
from pathlib import Path
from typing import Any, cast

from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

SILENCE_S = 60.0
"""Ours: a peer that sends nothing for so long is cut off."""
OPENING_S = 10.0
"""Ours: a peer that has connected and asks for no association is cut off."""
_MOST_THREADS = 40
"""Ours: some more than ten associations have; a connection beyond it is closed at once."""
_LEAST_PDU = 256 << 10
"""Ours: an association request with all its contexts is smaller."""
_HEADER = 6
_MOST_COMMAND = 64 << 10
_INVALID = "Evt19"
"""What pynetdicom's state machine calls an invalid PDU; the association is aborted."""
_MOST_WAITING = 2
"""Images that are complete before the answer to the first of them; one at a time was agreed on."""


class BoundedSocket(AssociationSocket):
    """A connection that takes no PDU that is longer than was agreed on."""

    most = _LEAST_PDU

    def recv(self, nr_bytes: int) -> bytearray:
        """See pynetdicom, which takes a connection that failed for one that is closed."""
        try:
            if nr_bytes > self.most:
                raise ConnectionAbortedError("a PDU is longer than was agreed on")
            return super().recv(nr_bytes)
        except OSError:
            self.close()
            raise


class BoundedDimse(DIMSEServiceProvider):
    """Puts messages together; of an image that is larger than ``most`` bytes a little more than those is kept."""

    most = 1 << 30

    def __init__(self, assoc: Association) -> None:
        super().__init__(assoc)
        self._taken = self._commanded = 0

    def receive_primitive(self, primitive: P_DATA) -> None:
        """See pynetdicom, whose thread an error would end without the peer or anybody hearing of it."""
        try:
            # pynetdicom's own type says tuples, and its check says lists.
            kept: list[Any] = [[context, self._kept(data)] for context, data in primitive.presentation_data_value_list]
            if self._commanded > _MOST_COMMAND or self.msg_queue.qsize() > _MOST_WAITING:
                raise ValueError("more than one message at a time, or a command without end")
            primitive.presentation_data_value_list = kept
            super().receive_primitive(primitive)
        except Exception:
            self.dul.event_queue.put(_INVALID)

    def _kept(self, data: bytes) -> bytes:
        is_command, is_last = bool(data[0] & 1), bool(data[0] & 2)
        if is_command:
            self._commanded = 0 if is_last else self._commanded + len(data)
            return data
        before, self._taken = self._taken, 0 if is_last else self._taken + len(data)
        return data if before <= self.most else data[:1]

    def forget(self) -> None:
        """Delete what came of an image that will not be complete."""
        path = self.message._data_set_path if self.message is not None else None
        if isinstance(path, Path):
            path.unlink(missing_ok=True)


class BoundedHandler(RequestHandler):
    """Gives every connection its limits."""

    server: "BoundedServer"

    def _create_association(self) -> Association:
        association = super()._create_association()
        connection = association.dul.socket
        assert connection is not None
        # Another class and not another object: the state machine has heard of this one.
        connection.__class__ = BoundedSocket
        cast(BoundedSocket, connection).most = max(_LEAST_PDU, self.ae.maximum_pdu_size + _HEADER)
        dimse = BoundedDimse(association)
        dimse.most = self.server.most_of_image
        association.dimse = dimse
        return association


class BoundedServer(ThreadedAssociationServer):
    """Listens; a peer that is slow to agree on TLS keeps nobody else waiting.

    Args:
        most_of_image: bytes.
    """

    def __init__(self, *places: Any, most_of_image: int, **options: Any) -> None:
        self.most_of_image = most_of_image
        super().__init__(*places, **{**options, "request_handler": BoundedHandler})

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """See pynetdicom, which shakes hands here, where nobody else is served meanwhile."""
        assert self.socket is not None
        client, address = self.socket.accept()
        client.settimeout(SILENCE_S)
        if self.ssl_context:
            client = self.ssl_context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        return client, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is room for one more connection; each has threads of its own from the first byte on."""
        return threading.active_count() < _MOST_THREADS

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """See pynetdicom."""
        try:
            if self.ssl_context:
                request.do_handshake()
        except OSError:
            self.shutdown_request(request)
            return
        super().process_request_thread(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a traceback may quote what was sent."""

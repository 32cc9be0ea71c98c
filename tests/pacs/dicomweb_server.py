"""A DICOMweb server in this process, whose faults a test chooses; beside Orthanc, which cannot be told to fail."""

import io
import json
import re
import ssl
import threading
from collections.abc import Callable
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pydicom

BOUNDARY = "part-of-a-test"
Fault = Callable[[str, str], int | bytes | None]
"""Takes method and path; a status or a body is answered in place of what was asked for."""


class DicomwebServer:
    """Keeps files in memory; ``stored`` has every instance that came by STOW, as often as it came.

    Attributes:
        fault: asked before each request is served.
        seen: method, path and headers of all requests.
        pages: most items of a search; ``knows_offset`` whether it turns them; ``loses_pages`` whether all but the first
            are empty.
        drops: so many images are left out of each series that is fetched.
        refuses: reason for which nothing is stored.
        raw: body and type that are answered when images are asked for.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.tags: dict[str, pydicom.Dataset] = {}
        self.stored: list[str] = []
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.fault: Fault = lambda method, path: None
        self.pages, self.knows_offset, self.drops, self.refuses = 1000, True, 0, 0
        self.loses_pages = False
        self.raw: tuple[bytes, str] | None = None
        self.lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/dicom-web"

    def start(self, context: ssl.SSLContext | None = None) -> "DicomwebServer":
        handler = type("Handler", (_Handler,), {"pacs": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self._server.daemon_threads = True
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Away until it is started again, on the same port."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def add(self, *paths: Path) -> None:
        """Add files, or all files of folders."""
        for path in paths:
            for file in sorted(path.rglob("*.dcm")) if path.is_dir() else [path]:
                self.take(file.read_bytes())

    def take(self, content: bytes) -> str:
        dataset = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
        uid = str(dataset.SOPInstanceUID)
        with self.lock:
            self.files[uid], self.tags[uid] = content, dataset
        return uid

    def of(self, **wanted: str) -> list[pydicom.Dataset]:
        with self.lock:
            return [one for one in self.tags.values() if all(str(one.get(k)) == v for k, v in wanted.items())]

    def search(self, level: str, wanted: dict[str, str], filters: dict[str, str]) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for one in self.of(**wanted):
            study = self.of(StudyInstanceUID=str(one.StudyInstanceUID))
            if filters.get("ModalitiesInStudy", one.Modality) not in {item.Modality for item in study}:
                continue
            first, _, last = filters.get("StudyDate", "").partition("-")
            keywords = ("StudyInstanceUID", "SeriesInstanceUID", "AccessionNumber")
            if any(filters.get(word, str(one.get(word))) != str(one.get(word)) for word in keywords):
                continue
            if not first <= str(one.StudyDate) <= (last or "99999999"):
                continue
            uid = str(one[level].value)
            series = self.of(SeriesInstanceUID=str(one.SeriesInstanceUID))
            found[uid] = {
                "0020000D": {"vr": "UI", "Value": [str(one.StudyInstanceUID)]},
                "0020000E": {"vr": "UI", "Value": [str(one.SeriesInstanceUID)]},
                "00080018": {"vr": "UI", "Value": [str(one.SOPInstanceUID)]},
                "00080020": {"vr": "DA", "Value": [str(one.StudyDate)]},
                "00080050": {"vr": "SH", "Value": [str(one.get("AccessionNumber"))]},
                "00080060": {"vr": "CS", "Value": [str(one.Modality)]},
                "00100020": {"vr": "LO", "Value": [str(one.get("PatientID"))]},
                "00100030": {"vr": "DA", "Value": [str(one.get("PatientBirthDate"))]},
                "00100010": {"vr": "PN", "Value": [{"Alphabetic": str(one.PatientName)}]},
                "00201208": {"vr": "IS", "Value": [len(study)]},
                "00201209": {"vr": "IS", "Value": [len(series)]},
            }
        return list(found.values())


class _Handler(BaseHTTPRequestHandler):
    pacs: DicomwebServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if self._failed(unquote(parts.path)):
            return
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        uids = re.findall(r"/(studies|series|instances)/([0-9.]+)", parts.path)
        keywords = {"studies": "StudyInstanceUID", "series": "SeriesInstanceUID", "instances": "SOPInstanceUID"}
        wanted = {keywords[level]: uid for level, uid in uids}
        last = parts.path.rsplit("/", 1)[-1]
        if last in keywords:
            found = self.pacs.search(keywords[last], wanted, query)
            offset = int(query.get("offset", 0)) if self.pacs.knows_offset else 0
            found = [] if self.pacs.loses_pages and offset else found
            limit = min(int(query.get("limit", 1000)), self.pacs.pages)
            self._json(found[offset : offset + limit])
        elif last == "metadata":
            self._json([one.to_json_dict() for one in self.pacs.of(**wanted)])
        elif self.pacs.raw is not None:
            self._answer(200, *self.pacs.raw)
        else:
            images = self.pacs.of(**wanted)
            self._multipart([self.pacs.files[str(one.SOPInstanceUID)] for one in images[self.pacs.drops :]])

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self._failed(self.path):
            return
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        stored, failed = [], []
        for part in BytesParser().parsebytes(head + body).get_payload():
            content = part.get_payload(decode=True)
            uid = str(pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True).SOPInstanceUID)
            reference = {"00081155": {"vr": "UI", "Value": [uid]}}
            if self.pacs.refuses:
                failed.append({**reference, "00081197": {"vr": "US", "Value": [self.pacs.refuses]}})
                continue
            with self.pacs.lock:
                self.pacs.stored.append(uid)
            self.pacs.take(content)
            stored.append(reference)
        answer = {"00081199": {"vr": "SQ", "Value": stored}, "00081198": {"vr": "SQ", "Value": failed}}
        self._answer(409 if failed else 200, json.dumps(answer).encode(), "application/dicom+json")

    def _failed(self, path: str) -> bool:
        with self.pacs.lock:
            self.pacs.seen.append((self.command, path, dict(self.headers)))
        answer = self.pacs.fault(self.command, path)
        if self.pacs._server is None:  # a connection that outlived the server
            self.close_connection = True
            return True
        if isinstance(answer, bytes):
            self._answer(200, answer, "application/dicom+json")
        elif answer is not None:
            self._answer(answer, b"Mustermann was here", "text/plain")
        return answer is not None

    def _json(self, items: list[dict[str, Any]]) -> None:
        self._answer(200, json.dumps(items).encode(), "application/dicom+json")

    def _multipart(self, contents: list[bytes]) -> None:
        head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        body = b"".join(head + content + b"\r\n" for content in contents) + f"--{BOUNDARY}--\r\n".encode()
        self._answer(200, body, f'multipart/related; type="application/dicom"; boundary={BOUNDARY}')

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

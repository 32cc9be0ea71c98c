"""OHIF on loopback beside an Orthanc: its files, and below the same address what the viewer asks of DICOMweb.

One address for both, because a browser lets a page read another one only if that allows it. Reading only: what
would change something in the PACS is refused.
"""

import http.server
import json
import threading
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests

_DICOMWEB = "/dicom-web"
_CONFIGURATION = "/app-config.js"
_PAGE = "/index.html"
_ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}
"""What a browser wants before it lets the viewer's threads share memory."""
_PROXY_S = 120


class Viewer:
    """A server in a thread of its own.

    Args:
        files: folder of the built viewer.
        orthanc: address of an Orthanc that asks for no name.
    """

    def __init__(self, files: Path, orthanc: str) -> None:
        handler = partial(_Handler, directory=str(files), orthanc=orthanc)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def start(self) -> "Viewer":
        """Answer from now on."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Of the list of studies."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def link(self, study_uid: str, series_uid: str | None = None) -> str:
        """The page of a study, which opens with one of its series."""
        query = {"StudyInstanceUIDs": study_uid}
        if series_uid is not None:
            query["initialSeriesInstanceUID"] = series_uid
        return f"{self.url}/viewer?{urlencode(query)}"


def configuration() -> dict[str, Any]:
    """What the viewer is told: where the studies are, and that segments and findings are shown without a question."""
    source = {
        "friendlyName": "Orthanc",
        "name": "orthanc",
        "wadoUriRoot": _DICOMWEB,
        "qidoRoot": _DICOMWEB,
        "wadoRoot": _DICOMWEB,
        "qidoSupportsIncludeField": True,
        "imageRendering": "wadors",
        "thumbnailRendering": "wadors",
        "enableStudyLazyLoad": True,
        "supportsFuzzyMatching": False,
        "supportsWildcard": True,
        "omitQuotationForMultipartRequest": True,
        "bulkDataURI": {"enabled": True},
    }
    return {
        "name": "PneumoScreen",
        "routerBasename": None,
        "extensions": [],
        "modes": [],
        "customizationService": {"panelMeasurement.disableEditing": {"$set": True}},
        "showStudyList": True,
        "showLoadingIndicator": True,
        "showCPUFallbackMessage": True,
        "strictZSpacingForVolumeViewport": True,
        "disableConfirmationPrompts": True,
        "defaultDataSourceName": "dicomweb",
        "dataSources": [
            {
                "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
                "sourceName": "dicomweb",
                "configuration": source,
            }
        ],
    }


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *args: Any, orthanc: str, **kwargs: Any) -> None:
        self._orthanc = orthanc
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith(f"{_DICOMWEB}/"):
            self._pass_on()
        elif path == _CONFIGURATION:
            text = f"window.config = {json.dumps(configuration(), indent=1)};\n"
            self._answer(HTTPStatus.OK, "text/javascript", text.encode())
        else:
            # Addresses of studies are none of files: the page itself reads them.
            if not Path(self.translate_path(path)).is_file():
                self.path = _PAGE
            super().do_GET()

    def end_headers(self) -> None:
        for name, value in _ISOLATED.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - likewise
        """Nothing: addresses hold what was asked about patients."""

    def _pass_on(self) -> None:
        # Orthanc writes links to itself by the name that it was called with.
        headers = {"Accept": self.headers.get("Accept", "*/*"), "Host": self.headers.get("Host", "")}
        try:
            answer = requests.get(f"{self._orthanc}{self.path}", headers=headers, timeout=_PROXY_S)
        except requests.RequestException:
            self._answer(HTTPStatus.BAD_GATEWAY, "text/plain", b"Orthanc does not answer")
            return
        kind = answer.headers.get("Content-Type", "application/octet-stream")
        self._answer(answer.status_code, kind, answer.content)

    def _answer(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

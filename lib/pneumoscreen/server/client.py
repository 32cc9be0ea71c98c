"""A client of the server's REST interface, for the demo and the tests; needs nothing but ``requests``."""

import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from requests_toolbelt.multipart import decoder

from ..errors import PneumoScreenError

_POLL_S = 0.2


class ServerError(PneumoScreenError):
    """The server refused a request, or is not there."""


@dataclass(frozen=True)
class Answer:
    """What an inference returns: the case document as JSON values, and the label map's name and bytes if asked."""

    document: dict[str, Any]
    label_map_name: str | None = None
    label_map: bytes | None = None


class Client:
    """Talks to one server.

    Args:
        address: such as ``http://127.0.0.1:8000``.
        token: an API token, where the server asks for one.
        verify: for HTTPS: whether its certificate is checked, or the file of the authorities to check it by.
    """

    def __init__(self, address: str, token: str | None = None, verify: bool | str | Path = True) -> None:
        self.address = address.rstrip("/")
        self._token = token
        self._verify = verify if isinstance(verify, bool) else str(verify)

    def get(self, path: str, timeout_s: float = 60.0) -> requests.Response:
        """``GET`` of a path.

        Raises:
            ServerError: if the server refuses or is not there.
        """
        return self._send("GET", path, timeout_s)

    def wait_until_ready(self, timeout_s: float, still_alive: Callable[[], bool] = lambda: True) -> dict[str, Any]:
        """Ask for ``/info/`` until it comes.

        Raises:
            ServerError: if it does not come in time, or ``still_alive`` says that it never will.
        """
        end = time.monotonic() + timeout_s
        while time.monotonic() < end and still_alive():
            try:
                return dict(self.get("/info/", max(end - time.monotonic(), 1.0)).json())
            except ServerError:
                time.sleep(_POLL_S)
        raise ServerError(f"the server at {self.address} did not answer within {timeout_s:.0f} s")

    def wait_until_offered(self, images: Collection[str], timeout_s: float) -> bool:
        """Ask for the list of images until all of these are in it; whether they came in time.

        A server offers an image that was put into its folder only once nobody writes it any more.

        Raises:
            ServerError: if the server refuses or is not there.
        """
        end = time.monotonic() + timeout_s
        while not set(images) <= self.get("/datastore/?output=all").json()["objects"].keys():
            if time.monotonic() >= end:
                return False
            time.sleep(_POLL_S)
        return True

    def infer(self, task: str, image: str, params: dict[str, Any] | None = None, output: str = "all") -> Answer:
        """Run an inference on an image of the studies.

        Raises:
            ServerError: if the server refuses; the message is the server's sentence.
        """
        form = {"params": json.dumps(params or {})}
        query = {"image": image, "output": output}
        response = self._send("POST", f"/infer/{task}", None, params=query, data=form)
        if response.headers.get("content-type", "").startswith("application/json"):
            return Answer(response.json())
        parts = decoder.MultipartDecoder.from_response(response).parts
        headers = [part.headers[b"Content-Disposition"].decode() for part in parts]
        document = json.loads(parts[0].content)
        return Answer(document, headers[1].split('filename="')[1].split('"')[0], parts[1].content)

    def worklist(self, **query: str | int | bool) -> list[dict[str, Any]]:
        """Rows of the worklist: id, state, verdict, priority, patient, age, acquired, lease, error and more.

        Args:
            query: what ``GET /pneumoscreen/cases`` takes, such as ``state``, ``search``, ``sort`` and ``limit``.

        Raises:
            ServerError: if the server refuses.
        """
        return list(self._send("GET", "/pneumoscreen/cases", 60.0, params=query).json()["cases"])

    def progress(self, image: str) -> dict[str, Any] | None:
        """Where the newest inference of an image stands; None before it was asked for."""
        try:
            return dict(self.get(f"/pneumoscreen/progress/{image}").json())
        except ServerError:
            return None

    def save_report(self, image: str, target: Path) -> None:
        """Fetch the HTML report of the last screening of an image."""
        target.write_bytes(self.get(f"/pneumoscreen/report/{image}").content)

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # As `auth` and not as a header: requests would put what ~/.netrc has for the host in a header's place.
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _send(self, method: str, path: str, timeout_s: float | None, **more: Any) -> requests.Response:
        try:
            response = requests.request(
                method, self.address + path, timeout=timeout_s, auth=self._sign, verify=self._verify, **more
            )
        except requests.RequestException as error:
            raise ServerError(f"the server at {self.address} does not answer ({type(error).__name__})") from None
        if response.status_code >= 400:
            raise ServerError(_detail(response))
        return response


def _detail(response: requests.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered with status {response.status_code}"

"""The PneumoScreen server as the extension sees it, a method a question; pure Python, so that ``worker`` can ask.

Thread contract: as of ``Transport``: a server may be asked by any number of threads.
"""

from typing import Any, Dict, List, Mapping, Optional, Sequence
from urllib.parse import quote

from . import failures, inferences, scans
from .description import described, told_of_training
from .failures import ServerError
from .sentences import by_name
from .transport import ANSWER_S, CONNECT_S, Cancelled, Progress, Transport

__all__ = ["Server", "ServerError"]

ALL_CASES = 100_000


class Server:
    """One server; nothing is asked before a method is called.

    Args:
        address: such as ``http://127.0.0.1:8000``.
        token: API token, where the server asks for one.
        ca_file: file of the authorities that its certificate is checked by.
        reader: the reader's own name, believed by a server without tokens only.
        connect_s: seconds to wait for a connection.
        answer_s: seconds to wait for an ordinary answer.

    Raises:
        ServerError: here and in every method: with one plain sentence.
    """

    def __init__(
        self,
        address: str,
        token: Optional[str] = None,
        ca_file: Optional[str] = None,
        reader: str = "",
        connect_s: float = CONNECT_S,
        answer_s: float = ANSWER_S,
    ) -> None:
        self.reader = reader.strip()
        self._transport = Transport(address, token, ca_file, connect_s, answer_s)

    @property
    def address(self) -> str:
        """Where it is."""
        return self._transport.address

    # Who and what -----------------------------------------------------------------------------------------------------

    def describe(self) -> Dict[str, Any]:
        """What the server is and who speaks to it.

        Returns:
            ``address``; ``app``, its name; ``version``; ``models``, the version in use by name; ``tasks``, ``trainers``
            and ``strategies``, names; ``user``, whom the token names, else ``local``; ``is_known``; ``roles``; …
        """
        info = self._object("GET", "/info/")
        who = self._object("GET", "/pneumoscreen/whoami")
        models = self.models()["models"]
        try:
            return described(self.address, info, who, models)
        except (KeyError, TypeError):
            raise failures.rubbish(self.address) from None

    # Which case -------------------------------------------------------------------------------------------------------

    def worklist(self) -> List[Dict[str, Any]]:
        """Every case: ``id``, ``state``, ``verdict``, ``confidence``, ``uncertainty``, ``lease``, ``readers``, …"""
        rows = self._object("GET", "/pneumoscreen/cases", params={"limit": ALL_CASES}).get("cases")
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
            raise failures.rubbish(self.address)
        return [{**row, "error": by_name(row["error"])} if row.get("error") else row for row in rows]

    def next_case(self, strategy: str, skip: bool = False, include_done: bool = False) -> Dict[str, Any]:
        """The next case by a strategy, leased to this reader: ``id``, ``lease``, ``note``; empty: there is none."""
        wanted = {**self._client(), "skip": skip, "include_done": include_done}
        found = self._object("POST", f"/activelearning/{quote(strategy, safe='')}", json=wanted)
        return found if found.get("id") else {}

    def release(self, case_id: str) -> None:
        """Give a leased case back; one that nobody has is no matter."""
        try:
            self._object("DELETE", f"/pneumoscreen/leases/{_part(case_id)}", params=self._client())
        except ServerError as error:
            if error.kind != failures.MISSING:
                raise

    # Scans ------------------------------------------------------------------------------------------------------------

    def download(
        self,
        case_id: str,
        folder: str,
        progress: Optional[Progress] = None,
        cancelled: Optional[Cancelled] = None,
    ) -> str:
        """Fetch the volume of a case, unless it lies in the folder already with the server's checksum.

        Returns:
            Path of the file.
        """
        return scans.download(self._transport, case_id, folder, progress, cancelled)

    def masks(self, case_id: str, folder: str) -> str:
        """Fetch the masks of the last screening: an NRRD label map, 1 left lung, 2 right lung, 3 infection.

        Returns:
            Path of the file.
        """
        return scans.masks(self._transport, case_id, folder)

    def upload(
        self,
        path: str,
        case_id: str,
        progress: Optional[Progress] = None,
        cancelled: Optional[Cancelled] = None,
    ) -> Dict[str, Any]:
        """Send a volume file as a new case."""
        return scans.upload(self._transport, path, case_id, progress, cancelled)

    # Screening --------------------------------------------------------------------------------------------------------

    def screen(
        self, case_id: str, progress: Optional[Progress] = None, cancelled: Optional[Cancelled] = None
    ) -> Dict[str, Any]:
        """Screen a case; waits as long as the server works on it.

        Returns:
            The case document.
        """
        return inferences.run(self._transport, "ct_screening", case_id, {}, progress, cancelled)

    def screen_xray(
        self, case_id: str, progress: Optional[Progress] = None, cancelled: Optional[Cancelled] = None
    ) -> Dict[str, Any]:
        """Screen a radiograph; as ``screen``."""
        return inferences.run(self._transport, "cxr_screening", case_id, {}, progress, cancelled)

    def classify(
        self,
        case_id: str,
        regions: Sequence[Mapping[str, Any]],
        progress: Optional[Progress] = None,
        cancelled: Optional[Cancelled] = None,
    ) -> List[Dict[str, Any]]:
        """Let the server cut and label the patches of regions.

        Args:
            case_id: the case.
            regions: at least ``id``, ``center_mm`` and ``size_mm`` (LPS) of each.
            progress: told of stages.
            cancelled: asked whether to stop.

        Returns:
            The regions with side, patches, label and confidence.
        """
        # Only what says where they are: a box that a reader drew need not have a reader's label yet.
        places = [{name: region[name] for name in ("id", "center_mm", "size_mm")} for region in regions]
        found = inferences.run(self._transport, "ct_classifier", case_id, {"regions": places}, progress, cancelled)
        return list(found["regions"])

    def screening_of(self, case_id: str) -> Optional[Dict[str, Any]]:
        """Document of the last screening of a case; None where there is none."""
        return self._object_or_none("GET", f"/pneumoscreen/screening/{_part(case_id)}")

    # Annotations ------------------------------------------------------------------------------------------------------

    def annotations(self, case_id: str) -> Dict[str, Any]:
        """Versions of a case: ``versions``, ``current`` by reader, and which is ``counting``."""
        return self._object("GET", f"/pneumoscreen/annotations/{_part(case_id)}")

    def annotation(self, case_id: str, version: int) -> Dict[str, Any]:
        """One version: ``reader``, ``at``, ``document``, …"""
        return self._object("GET", f"/pneumoscreen/annotations/{_part(case_id)}/{int(version)}")

    def submit(self, case_id: str, document: Mapping[str, Any], base: int) -> Dict[str, Any]:
        """Store a document as the next version.

        Args:
            case_id: the case.
            document: of it.
            base: version that it was made from.

        Returns:
            ``version``, ``reader``, ``at``, …

        Raises:
            ServerError: ``conflict`` where another reader submitted since; ``detail["other"]`` says who and what.
        """
        query: Dict[str, Any] = {"base": int(base), **({"reader": self.reader} if self.reader else {})}
        stored = self._object("PUT", f"/pneumoscreen/annotations/{_part(case_id)}", params=query, json=dict(document))
        if not isinstance(stored.get("version"), int):
            raise failures.rubbish(self.address)
        return {**stored, "changes": [by_name(change) for change in stored.get("changes") or ()]}

    # Training and models ----------------------------------------------------------------------------------------------

    def train(self, task: str, params: Optional[Mapping[str, Any]] = None) -> Dict[str, Any]:
        """Start a training; returns at once with its state."""
        return self._object("POST", f"/train/{quote(task, safe='')}", json=dict(params or {}))

    def training(self) -> Optional[Dict[str, Any]]:
        """The newest training; None where nothing was trained yet."""
        return told_of_training(self._object_or_none("GET", "/train/"))

    def stop_training(self) -> Dict[str, Any]:
        """Stop the training that runs and those that wait."""
        return self._object("DELETE", "/train/")

    def models(self) -> Dict[str, Any]:
        """Models of the server: ``models``, an entry of versions and candidates by name, and what is loaded."""
        answer = self._object("GET", "/pneumoscreen/models")
        try:
            return {**answer, "models": {str(entry["name"]): entry for entry in answer["models"]}}
        except (KeyError, TypeError):
            raise failures.rubbish(self.address) from None

    def rollback(self, name: str, version: Optional[int] = None) -> Dict[str, Any]:
        """Put a version, or the one before, into use."""
        body = {} if version is None else {"to": int(version)}
        return self._object("POST", f"/pneumoscreen/models/{quote(name, safe='')}/rollback", json=body)

    # Inside -----------------------------------------------------------------------------------------------------------

    def _client(self) -> Dict[str, str]:
        return {"client_id": self.reader} if self.reader else {}

    def _object(self, method: str, path: str, **more: Any) -> Dict[str, Any]:
        answer = self._transport.json(method, path, **more)
        if not isinstance(answer, dict):
            raise failures.rubbish(self.address, 200)
        return answer

    def _object_or_none(self, method: str, path: str) -> Optional[Dict[str, Any]]:
        try:
            return self._object(method, path)
        except ServerError as error:
            if error.kind == failures.MISSING:
                return None
            raise


def _part(case_id: str) -> str:
    """A case id as a part of an address."""
    return quote(case_id, safe="")

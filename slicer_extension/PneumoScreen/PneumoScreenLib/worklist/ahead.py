"""No waiting: while a case is read, the next two are fetched, and screened where nobody has.

Ours: which case the server will name is not known before it is asked, and asking would take the case from others. So
the likeliest are guessed from the worklist: not done, held by nobody else, the most uncertain first, or the first by
name where the reader goes by name. A wrong guess costs a download.
"""

from typing import Any, Dict, List, Mapping, Optional, Sequence, Set

COUNT = 2
BY_NAME = ("first",)
"""Strategies that go by the names of the cases."""


class Ahead:
    """Fetches ahead, one thing at a time and without a word: what fails is asked for again when the case is opened.

    Args:
        session: whose next cases they are.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._done: Set[str] = set()
        self._is_running, self._is_closed = False, False
        for signal in (session.reading_changed, session.connection.cases_changed):
            signal.connect(self.go_on)

    def go_on(self) -> None:
        """Fetch the next thing, where a case is open and nothing else is on its way."""
        session, connection = self._session, self._session.connection
        is_idle = session.reading is None or session.asking.is_busy or connection.server is None
        if self._is_running or self._is_closed or is_idle:
            return
        likely = next_cases(connection.cases, session.case_id, connection.reader, session.strategy)
        case = next((each for each in likely if str(each["id"]) not in self._done), None)
        if case is not None:
            self._is_running = True
            self._done.add(str(case["id"]))
            args = {"case_id": str(case["id"]), "folder": session.folder}
            session.asking.ask("download", args, lambda path: self._fetched(case), None, self._failed)

    def close(self) -> None:
        """Fetch no more."""
        self._is_closed = True

    def _fetched(self, case: Mapping[str, Any]) -> None:
        if case.get("state") != "new" or self._is_closed:
            self._ended()
            return
        call = "screen_xray" if case.get("modality") == "CXR" else "screen"
        asking = self._session.asking
        asking.ask(call, {"case_id": str(case["id"])}, lambda document: self._ended(), None, self._failed)

    def _failed(self, failure: Any) -> bool:
        self._ended()
        return True

    def _ended(self) -> None:
        self._is_running = False
        self.go_on()


def next_cases(
    cases: Sequence[Mapping[str, Any]], open_case: Optional[str], reader: str, strategy: str, count: int = COUNT
) -> List[Dict[str, Any]]:
    """The cases that a reader is likely to get next.

    Args:
        cases: of the worklist.
        open_case: id of the one that is open.
        reader: who reads.
        strategy: by which the server chooses.
        count: how many at most.
    """

    def is_offered(case: Mapping[str, Any]) -> bool:
        holder = (case.get("lease") or {}).get("reader")
        return case.get("state") != "done" and not case.get("error") and holder in (None, "", reader)

    found = [dict(case) for case in cases if is_offered(case) and str(case["id"]) != open_case]
    if strategy in BY_NAME:
        found.sort(key=lambda case: str(case["id"]))
    else:
        found.sort(key=lambda case: -float(case.get("uncertainty") or 0.0))
    return found[:count]

"""An earlier scan of the same patient, where the worklist knows of one: fetched and shown beside the open case."""

from typing import Any, Dict, Iterable, Mapping, Optional

from ..connection.asking import Message
from ..scene.volumes import SceneError
from ..signal import Signal
from ..translation import _


def prior_of(cases: Iterable[Mapping[str, Any]], case_id: Optional[str]) -> Optional[Dict[str, Any]]:
    """The last scan of the patient before this one; None where the worklist knows of none.

    Args:
        cases: of the worklist; ``patient`` is a hashed name, ``acquired`` a date that sorts as text.
        case_id: of the open case.
    """
    known = {str(case["id"]): case for case in cases}
    this = known.get(case_id or "")
    if this is None or not this.get("patient") or not this.get("acquired"):
        return None
    earlier = [
        dict(case)
        for case in known.values()
        if case.get("patient") == this["patient"]
        and case.get("modality") == this.get("modality")
        and case.get("acquired")
        and str(case["acquired"]) < str(this["acquired"])
    ]
    return max(earlier, key=lambda case: (str(case["acquired"]), str(case["id"])), default=None)


class Prior:
    """The prior of the open case; no radiograph has one beside it, as it fills the view.

    Args:
        session: has the open case and its view.

    Attributes:
        changed: when there is another prior than before, or it is shown or not.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self.changed = Signal()
        session.case_changed.connect(self.changed.emit)
        session.connection.cases_changed.connect(self.changed.emit)

    @property
    def is_shown(self) -> bool:
        """Whether a prior stands beside the open case."""
        return self._session.view.beside.volume is not None

    @property
    def case(self) -> Optional[Dict[str, Any]]:
        """The entry of the worklist; None where there is none."""
        session = self._session
        if not session.is_on_server or session.view.is_radiograph:
            return None
        return prior_of(session.connection.cases, session.case_id)

    def toggle(self) -> None:
        """Show it beside the open case, or the open case alone again."""
        session, prior = self._session, self.case
        if self.is_shown:
            session.view.hide_prior()
            self.changed.emit()
        elif prior is None:
            session.asking.say(Message(_("The server knows of no earlier scan of this patient.")))
        else:
            args = {"case_id": str(prior["id"]), "folder": session.folder}
            case_id = session.case_id

            def here(path: str) -> None:
                if case_id == session.case_id:
                    self._show(path, prior)

            text = _("Fetching the scan of {day} …").format(day=day_of(prior))
            session.asking.run("download", args, here, self.toggle, text)

    def _show(self, path: str, prior: Mapping[str, Any]) -> None:
        try:
            self._session.view.show_prior(path, _("prior {name} ({day})").format(name=prior["id"], day=day_of(prior)))
        except SceneError as error:
            self._session.asking.say(Message(str(error), self.toggle, True))
            return
        self._session.asking.say(
            Message(_("On the right the scan of {day}; it scrolls along. Y ends it.").format(day=day_of(prior)))
        )
        self.changed.emit()


def day_of(case: Mapping[str, Any]) -> str:
    """The day on which a case was acquired."""
    return str(case.get("acquired") or "")[:10]

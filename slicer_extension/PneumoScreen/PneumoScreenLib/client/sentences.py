"""What the child process says, by name and values: Slicer's side puts it into the reader's language.

Both sides know the same sentences. In the child they are in English, as no Slicer runs there; what the server itself
said goes by name, too, where ``server_sentences`` knows it, else as it came.
"""

from typing import Any, Dict, Mapping

from ..translation import _
from ..wording import stage_in_words
from .server_sentences import SERVER, known

SENTENCES: Dict[str, str] = {
    **SERVER,
    "cancelled": _("This was cancelled."),
    "screening_cancelled": _("The screening was cancelled."),
    "download_cancelled": _("The download was cancelled."),
    "sending_cancelled": _("Sending was cancelled."),
    "rubbish": _(
        "What answers at {address} cannot be understood; check that this is the address of a PneumoScreen server."
    ),
    "late": _("The server at {address} did not answer within {limit} s; nothing is lost, try again in a while."),
    "no_https": _("The server at {address} does not speak HTTPS; begin its address with http://."),
    "no_address": _("{address} is no address of a server; write it like http://127.0.0.1:8000 under Connect."),
    "no_authority": _("The file of the certificate authority cannot be read; choose it again under Connect."),
    "unreachable": _(
        "The server at {address} cannot be reached ({reason}); nothing is lost, check that it runs and that the "
        "address is right, then try again."
    ),
    "silent": _("it does not answer"),
    "nobody_listens": _("nothing listens there"),
    "no_such_name": _("no computer of this name is known"),
    "broken_off": _("the connection broke off"),
    "no_way": _("the network does not lead there"),
    "elsewhere": _("The server at {address} sends its clients elsewhere; enter that address under Connect."),
    "not_let_in": _("The server did not let you in{reason}; check the token under Connect."),
    "token_wanted": _("The server did not let you in{reason}; enter your API token under Connect."),
    "token_unfit": _("The token holds characters that no token has; copy it again under Connect."),
    "forbidden": _("The server refused: {reason}; ask its administrator."),
    "not_allowed": _("it does not allow this to you"),
    "not_offered": _("The server at {address} does not offer this; check the address, or ask for a newer one."),
    "changed": _("Somebody else changed this meanwhile; look at it again before you go on."),
    "not_accepted": _("The server did not accept this (status {status}); ask its administrator to look into the log."),
    "failed": _("The server failed at this ({reason}); nothing is lost, try again or tell its administrator."),
    "status": _("status {status}"),
    "certificate_dated": _(
        "The certificate of the server at {address} is not valid today; check this computer's clock, or ask the "
        "administrator for a new one."
    ),
    "certificate_of_another": _(
        "The certificate of the server at {address} is made out to another name; write the address under Connect as "
        "the administrator gave it."
    ),
    "certificate_unknown": _(
        "The certificate of the server at {address} could not be verified; choose the file of your site's certificate "
        "authority under Connect, or ask the administrator."
    ),
    "request_failed": _("The request failed on this computer ({error}); try again."),
    "stopped": _("The screening was stopped on the server; start it again."),
    "unreadable": _("The file {path} cannot be read ({reason}); save the volume again."),
    "no_volume": _("The server has no volume of case {case_id}; refresh the worklist."),
    "not_stored": _("Nothing can be stored in {folder} ({reason}); make room there or choose another folder."),
    "fault": _("The extension failed at this ({error}); try again."),
    "unknown_call": _("The extension does not know {call}; install it again."),
    "downloading": _("Downloading {size} MB"),
    "downloading_of": _("Downloading {size} of {total} MB"),
    "sending": _("Sending {size} of {total} MB"),
    "reason": " ({reason})",
}


class Said(str):
    """A sentence as it reads here.

    Attributes:
        wire: how it goes to Slicer's side, as JSON values.
    """

    wire: Any


def said(name: str, **values: Any) -> Said:
    """A sentence of ``SENTENCES`` with its values, which may be sentences."""
    text = Said(SENTENCES[name].format(**values))
    text.wire = {"said": name, "values": {key: wire_of(value) for key, value in values.items()}}
    return text


def stage(job: Mapping[str, Any]) -> Said:
    """What the server does with an inference, from its board."""
    text = Said(stage_in_words(job))
    text.wire = {"job": {key: job.get(key) for key in ("state", "position", "stage")}}
    return text


def of_server(told: str) -> str:
    """What a server said, by its name where that is known."""
    found = known(told)
    return told if found is None else said(found[0], **found[1])


def by_name(told: Any) -> Any:
    """JSON values of what a server said, so that Slicer's side can say it in its reader's language."""
    return wire_of(of_server(str(told)))


def whole(text: str) -> Said:
    """Words as a sentence: with a capital and a full stop."""
    sentence = Said(_whole(text))
    sentence.wire = {"whole": wire_of(text)}
    return sentence


def _whole(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def wire_of(text: Any) -> Any:
    """JSON values of a sentence; what is none stays as it is."""
    return getattr(text, "wire", text)


def in_words(wire: Any) -> str:
    """A sentence from its JSON values, in the language of this side."""
    if isinstance(wire, Mapping) and "job" in wire:
        return stage_in_words(wire["job"])
    if isinstance(wire, Mapping) and "whole" in wire:
        return _whole(in_words(wire["whole"]))
    if isinstance(wire, Mapping):
        values = {key: in_words(value) for key, value in wire["values"].items()}
        return SENTENCES[wire["said"]].format(**values)
    return str(wire)

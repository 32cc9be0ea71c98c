"""What a server on a PACS was started with, kept in its state folder: its other processes go by it as well.

Neither a password nor a token is kept; the name of the token's file is.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..models.atomic_files import replace_durably
from .access import Access
from .choices import PASSWORD, TOKEN, Kernel, Send

FOLDER = Path(".pneumoscreen") / "pacs"
"""Below the state folder."""
_FILE = FOLDER / "settings.json"
_SCHEMA = "pneumoscreen.pacs/1"
_WATCHERS = "state.sqlite"


@dataclass(frozen=True)
class PacsSettings:
    """How a server uses its PACS.

    Attributes:
        url: of its DICOMweb service.
        user, token_file, ca_file, client_cert: see ``client.Access``; paths are absolute.
        cache_gb: gigabytes that fetched images may take.
        days: of these last days studies are listed, by StudyDate; 0 for all.
        interval_s: seconds between two looks for new studies.
        quiet_s: seconds after which a study that no longer grows is offered.
        kernel: which reconstruction of a CT is preferred.
        send: which results are sent.
        sends_since: when results began to be sent, UTC; None: never.
    """

    url: str
    user: str | None = None
    token_file: str | None = None
    ca_file: str | None = None
    client_cert: str | None = None
    cache_gb: float = 20.0
    days: int = 3
    interval_s: float = 30.0
    quiet_s: float = 60.0
    kernel: Kernel = Kernel.SOFT
    send: Send = Send.NONE
    sends_since: str | None = None

    def access(self, environment: Mapping[str, str] | None = None) -> Access:
        """Where the PACS is and who asks it.

        Raises:
            ConfigError: if the token's file cannot be read.
        """
        environment = os.environ if environment is None else environment
        token = environment.get(TOKEN) or None
        if self.token_file is not None:
            try:
                token = Path(self.token_file).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError):
                token = ""
            if not token or not token.isascii() or not token.isprintable():
                raise ConfigError(f"--pacs-token-file {self.token_file}: holds no token; name a file with one line")
        return Access(
            self.url,
            self.user,
            environment.get(PASSWORD),
            token,
            _path(self.ca_file),
            _path(self.client_cert),
            "--studies",
            "--pacs-",
        )


def settings_of(state: Path) -> PacsSettings | None:
    """What the server on a state folder was started with; None of a folder that is none of a PACS.

    Raises:
        ConfigError: if the file that says so is damaged.
    """
    try:
        content: dict[str, Any] = json.loads((state / _FILE).read_bytes())
        if content.pop("schema") != _SCHEMA:
            raise ValueError
        return PacsSettings(**{**content, "kernel": Kernel(content["kernel"]), "send": Send(content["send"])})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(f"{state / _FILE} is damaged; restore it from a backup, or name another --state") from None


def take_state(state: Path, wanted: PacsSettings, now: str) -> PacsSettings:
    """Take a folder as the state of a server on a PACS, and keep there how it was started.

    Args:
        state: the folder; made where missing, closed to others.
        wanted: how it is started now.
        now: UTC, for the time from which results are sent.

    Raises:
        ConfigError: if it belongs to another PACS or holds something else, or cannot be written.
    """
    kept = settings_of(state)
    if kept is not None and kept.url.rstrip("/") != wanted.url.rstrip("/"):
        raise ConfigError(f"--state {state}: belongs to another PACS; name the folder of this one, or an empty one")
    try:
        if (state / _WATCHERS).exists():
            raise ConfigError(f"--state {state}: is that of `pacs watch`; name another folder")
        if kept is None and state.is_dir() and any(state.iterdir()):
            raise ConfigError(f"--state {state}: holds something else than the state of a server; name an empty folder")
        since = None if kept is None else kept.sends_since
        # What was submitted while nothing was sent stays here: nobody asked for it to be sent.
        was_off = kept is None or kept.send is Send.NONE
        wanted = replace(wanted, sends_since=now if wanted.send is not Send.NONE and was_off else since)
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        (state / FOLDER).mkdir(parents=True, exist_ok=True)
        replace_durably(state / _FILE, (json.dumps({"schema": _SCHEMA, **asdict(wanted)}, indent=1) + "\n").encode())
    except OSError as error:
        raise ConfigError(f"--state {state}: cannot be used ({error.strerror}); name another folder") from None
    return wanted


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)

"""Names that tell nothing but what is the same: hashes with a key of the folder whose patients or cases they stand for.

Without the key nobody who sees a name can try numbers until one fits.
"""

import hmac
import logging
import secrets
from pathlib import Path

from .layout import AUDIT
from .versions import write_exclusively

KEY_FILE = AUDIT / "patients.key"
"""Below the folder. Beside the log, because with another key every patient has another name."""
_KEY_BYTES = 32
_DIGITS = 12

logger = logging.getLogger(__name__)


def keyed(key: bytes, text: str, digits: int = _DIGITS) -> str:
    """What stands for a text: this many hexadecimal digits, 64 at most."""
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), "sha256").hexdigest()[:digits]


def key_of(folder: Path) -> bytes:
    """The key of a folder, made at its first use; where it cannot be kept it holds until the program ends."""
    path, made = folder / KEY_FILE, secrets.token_bytes(_KEY_BYTES)
    try:
        path.parent.mkdir(exist_ok=True)
        write_exclusively(path, made.hex().encode(), mode=0o600)
        return made
    except FileExistsError:
        pass
    except OSError as error:
        if not path.is_file():
            logger.warning("%s cannot be written (%s): patients have other names after a restart", path, error.strerror)
            return made
    try:
        kept = bytes.fromhex(path.read_text(encoding="ascii"))
        if len(kept) == _KEY_BYTES:
            return kept
    except (OSError, ValueError):
        pass
    logger.error("%s is damaged; restore it from a backup: until then patients have other names", path)
    return made

"""What a server is and who speaks to it, put together from its answers; what it says of a training."""

from typing import Any, Dict, Mapping, Optional

from .sentences import by_name

_XRAY_TASK = "cxr_screening"


def described(
    address: str, info: Mapping[str, Any], who: Mapping[str, Any], models: Mapping[str, Any]
) -> Dict[str, Any]:
    """The answer of ``Server.describe``.

    Args:
        address: of the server.
        info: its ``/info/``.
        who: its ``/pneumoscreen/whoami``.
        models: its models by name.

    Raises:
        KeyError, TypeError: if an answer is not what it should be.
    """
    return {
        "address": address,
        "app": str(info["name"]),
        "version": str(who["version"]),
        "models": {name: entry.get("current") for name, entry in models.items()},
        "tasks": sorted(info["models"]),
        "trainers": sorted(info.get("trainers") or ()),
        "strategies": list(info["strategies"]),
        "user": str(who["reader"]),
        "is_known": bool(who["is_known"]),
        "roles": [str(who["role"])],
        "offers_xray": _XRAY_TASK in info["models"],
    }


def told_of_training(found: Optional[Dict[str, Any]]) -> Optional[Dict[str, Any]]:
    """A training with its message by name; None where nothing was trained yet."""
    progress = (found or {}).get("progress")
    if found is None or not isinstance(progress, dict) or not progress.get("message"):
        return found
    return {**found, "progress": {**progress, "message": by_name(progress["message"])}}

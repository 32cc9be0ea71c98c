"""MONAI Label's settings as this app needs them, unless the site's environment says otherwise."""

import os
from typing import Any

from monailabel.config import settings

from ..studies.layout import RADIOGRAPH_ENDINGS, VOLUME_ENDINGS

IMAGE_PATTERNS = tuple(f"*{ending}" for ending in (*VOLUME_ENDINGS, *RADIOGRAPH_ENDINGS))
LABEL_PATTERNS = ("*.json", *(f"*{ending}" for ending in VOLUME_ENDINGS))
"""A label is a case document; label maps of stock clients become one."""

_DEFAULTS: dict[str, Any] = {
    "MONAI_LABEL_PROJECT_NAME": "PneumoScreen",
    # Scoring every label at every request of a sample is work that nobody here asked for.
    "MONAI_LABEL_AUTO_UPDATE_SCORING": False,
    "MONAI_LABEL_SESSIONS": True,
    "MONAI_LABEL_TASKS_TRAIN": True,
    "MONAI_LABEL_TASKS_SCORING": True,
    "MONAI_LABEL_TRACKING_ENABLED": False,
    "MONAI_LABEL_DATASTORE_FILE_EXT": ["*.json", *IMAGE_PATTERNS],
}


def apply_defaults() -> None:
    """Set what differs from stock; a variable of the environment has the last word.

    MONAI Label reads most settings when it uses them, so this holds for ``monailabel start_server`` as well,
    which imports the app long after the settings.
    """
    for name, value in _DEFAULTS.items():
        if name not in os.environ:
            setattr(settings, name, value)


def share_with_subprocesses(app_dir: str, studies: str, port: int) -> None:
    """Name app and studies in settings and environment: MONAI Label's background tasks are processes of their own."""
    settings.MONAI_LABEL_APP_DIR = app_dir
    settings.MONAI_LABEL_STUDIES = studies
    settings.MONAI_LABEL_SERVER_PORT = port
    os.environ["MONAI_LABEL_APP_DIR"] = app_dir
    os.environ["MONAI_LABEL_STUDIES"] = studies
    os.environ["MONAI_LABEL_SERVER_PORT"] = str(port)
    os.environ.setdefault("PYTHONPATH", "")

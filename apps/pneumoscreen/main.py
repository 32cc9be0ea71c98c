"""Where MONAI Label finds the app; everything else stands in the package."""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("pneumoscreen") is None:
    # A checkout that was not installed: the package lies beside the apps.
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))

from pneumoscreen.server.app import PneumoScreenApp

__all__ = ["PneumoScreenApp"]

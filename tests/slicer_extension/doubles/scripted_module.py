"""Stand-ins for the Python that comes with Slicer's application but not with its libraries."""

import sys
import types
import unittest
from pathlib import Path
from typing import Any

MODULE = Path(__file__).parents[3] / "slicer_extension/PneumoScreen"


class ScriptedLoadableModule:
    """What Slicer shows of a module."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent


class ScriptedLoadableModuleLogic:
    """Base of a module's logic."""

    def __init__(self, parent: Any = None) -> None:
        self.parent = parent


class ScriptedLoadableModuleTest(unittest.TestCase):
    """Base of a module's test."""


class ScriptedLoadableModuleWidget:
    """Base of a module's panel; ``parent`` is a widget with a layout."""

    def __init__(self, parent: Any = None) -> None:
        self.parent = parent
        self.layout = parent.layout()
        # Slicer finds the files of a module by the name of its widget's class (`ScriptedLoadableModule.py`).
        self.moduleName = type(self).__name__.removesuffix("Widget")

    def setup(self) -> None:
        """Slicer adds its developer section here."""

    def onReload(self) -> None:
        """Slicer loads the module's file again here."""

    def resourcePath(self, name: str) -> str:
        """A file of the module's Resources."""
        if self.moduleName != MODULE.name:
            raise RuntimeError(f"module {self.moduleName!r} is not loaded")
        return str(MODULE / "Resources" / name)


def install() -> None:
    """Publish the stand-ins under Slicer's names."""
    import slicer

    base = types.ModuleType("slicer.ScriptedLoadableModule")
    for cls in (
        ScriptedLoadableModule,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
        ScriptedLoadableModuleWidget,
    ):
        setattr(base, cls.__name__, cls)
    translation = types.ModuleType("slicer.i18n")
    translation.__dict__.update(
        tr=lambda text: text, translate=lambda context, text: text, getContext=lambda file: file
    )
    for module in (base, translation):
        sys.modules[module.__name__] = module
        setattr(slicer, module.__name__.rpartition(".")[2], module)

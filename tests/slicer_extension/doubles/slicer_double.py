"""A double of the Slicer application around the real Slicer libraries: scene, module logics, `slicer.app`.

The libraries come from `slicer-core`, and the real `slicer.util` runs on it: volumes, markups, segmentations and scenes
load and save. It never proves that a module runs inside the Slicer application itself.
"""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import slicer
import slicer.util
import vtk
from PySide6.QtCore import QObject

MODULE_LOGICS = {
    "Markups": "vtkSlicerMarkupsLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "Models": "vtkSlicerModelsLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Texts": "vtkSlicerTextsLogic",
}

FILE_TYPES = {
    ".mrk.json": "MarkupsFile",
    ".seg.nrrd": "SegmentationFile",
    ".nrrd": "VolumeFile",
    ".nii.gz": "VolumeFile",
    ".nii": "VolumeFile",
    ".mha": "VolumeFile",
    ".mrb": "SceneFile",
    ".mrml": "SceneFile",
}


class FileManager:
    """What `slicer.util.load…` and `save…` ask of `slicer.app.coreIOManager()`."""

    def __init__(self, logics: dict[str, Any]) -> None:
        self.logics = logics

    def fileType(self, path: str) -> str:
        return next((kind for ending, kind in FILE_TYPES.items() if str(path).lower().endswith(ending)), "NoFile")

    def fileWriterFileType(self, node: Any) -> str:
        return node.GetClassName()

    def loadNodes(self, kind: str, properties: dict[str, Any], loaded: Any = None, messages: Any = None) -> bool:
        path = Path(properties["fileName"])
        if not path.exists():
            messages.AddMessage(vtk.vtkCommand.ErrorEvent, f"file not found: {path}")
            return False
        if kind == "SceneFile":
            return self._load_scene(path, messages)
        node = self._load_node(kind, path, properties)
        if node is not None and loaded is not None:
            loaded.AddItem(node)
        return node is not None

    def _load_node(self, kind: str, path: Path, properties: dict[str, Any]) -> Any:
        name = properties.get("name") or path.name.split(".")[0]
        if kind == "VolumeFile":
            return self.logics["Volumes"].AddArchetypeVolume(str(path), name, int(bool(properties.get("labelmap"))))
        if kind == "MarkupsFile":
            node_id = self.logics["Markups"].LoadMarkups(str(path), name)
            return slicer.mrmlScene.GetNodeByID(node_id) if node_id else None
        if kind == "SegmentationFile":
            return self.logics["Segmentations"].LoadSegmentationFromFile(str(path))
        return None

    def _load_scene(self, path: Path, messages: Any) -> bool:
        if path.suffix == ".mrb":
            return bool(slicer.mrmlScene.ReadFromMRB(str(path), False, messages))
        slicer.mrmlScene.SetURL(str(path))
        return bool(slicer.mrmlScene.Import(messages))

    def saveNodes(self, kind: str, properties: dict[str, Any], messages: Any = None) -> bool:
        path = str(properties["fileName"])
        if kind == "SceneFile":
            if path.endswith(".mrb"):
                return bool(slicer.mrmlScene.WriteToMRB(path, None, messages))
            slicer.mrmlScene.SetURL(path)
            slicer.mrmlScene.SetRootDirectory(str(Path(path).parent))
            return bool(slicer.mrmlScene.Commit(path, messages))
        node = slicer.mrmlScene.GetNodeByID(properties["nodeID"])
        if node.GetStorageNode() is None:
            node.AddDefaultStorageNode(path)
        node.GetStorageNode().SetFileName(path)
        return bool(node.GetStorageNode().WriteData(node))


class LayoutManager:
    """The views of the layout, reached as scripts reach them: `sliceWidget(name).sliceView()` and the like."""

    def __init__(self, slice_logics: Any) -> None:
        self._slice_logics = slice_logics
        self.layout: int | None = None
        self._slice_views: dict[str, Any] = {}
        self._threed_views: list[Any] = []

    def add_slice_view(self, view: Any) -> None:
        self._slice_views[view.node.GetName()] = view

    def add_threed_view(self, view: Any) -> None:
        self._threed_views.append(view)

    @property
    def threeDViewCount(self) -> int:
        return len(self._threed_views)

    def sliceViewNames(self) -> list[str]:
        return list(self._slice_views)

    def mrmlSliceLogics(self) -> Any:
        return self._slice_logics

    def setLayout(self, layout: int) -> None:
        self.layout = layout

    def sliceWidget(self, name: str) -> Any:
        view = self._slice_views.get(name)
        if view is None:
            return None
        return SimpleNamespace(sliceView=lambda: view, mrmlSliceNode=lambda: view.node, sliceLogic=lambda: view.logic)

    def threeDWidget(self, index: int) -> Any:
        view = self._threed_views[index]
        return SimpleNamespace(threeDView=lambda: view, mrmlViewNode=lambda: view.node)

    def resetSliceViews(self) -> None:
        for view in self._slice_views.values():
            view.logic.FitSliceToBackground()


class Module:
    """A loaded module: its name, its file and its logic."""

    def __init__(self, name: str, logic: Any = None, path: str = "") -> None:
        self.name, self.path, self._logic = name, path, logic

    def logic(self) -> Any:
        return self._logic


class ModuleManager(QObject):
    """`slicer.app.moduleManager()`: it lives as long as the process, as Slicer's does."""

    def module(self, name: str) -> Any:
        return getattr(slicer.modules, name.lower(), None)


@cache
def _module_manager() -> ModuleManager:
    return ModuleManager()


class Application:
    """`slicer.app`: only what the extension and `slicer.util` ask of it."""

    applicationName = "Slicer"
    majorVersion, minorVersion, revision = 5, 13, "31053"

    def __init__(self, double: "SlicerDouble") -> None:
        self._double = double
        self.temporaryPath = _temporary_folder("slicer_double_")
        self.slicerHome = self.temporaryPath
        self.render_pauses = 0

    def testingEnabled(self) -> bool:
        return True

    def coreIOManager(self) -> FileManager:
        return self._double.files

    ioManager = coreIOManager

    def applicationLogic(self) -> Any:
        return self._double.app_logic

    def mrmlScene(self) -> Any:
        return self._double.scene

    def layoutManager(self) -> LayoutManager:
        return self._double.layout

    def moduleManager(self) -> "ModuleManager":
        return _module_manager()

    def pauseRender(self) -> None:
        self.render_pauses += 1

    def resumeRender(self) -> None:
        self.render_pauses -= 1

    def processEvents(self) -> None:
        import sys

        if "qt" in sys.modules:
            sys.modules["qt"].QCoreApplication.processEvents()

    def translate(self, context: str, text: str) -> str:
        return text

    def setOverrideCursor(self, *cursor: Any) -> None:
        pass

    def restoreOverrideCursor(self) -> None:
        pass

    def commandOptions(self) -> Any:
        return SimpleNamespace(noMainWindow=True, testingEnabled=True)

    def userSettings(self) -> Any:
        import qt

        return qt.QSettings(str(Path(self.temporaryPath) / "settings.ini"), qt.QSettings.IniFormat)

    settings = userSettings

    def topLevelWidgets(self) -> list[Any]:
        return [] if self._double.main_window is None else [self._double.main_window]

    def moduleDocumentationUrl(self, name: str) -> str:
        return "https://slicer.readthedocs.io/"


class SlicerDouble:
    """A running Slicer without windows; `slicer.mrmlScene`, `.app` and `.modules` mean the newest one."""

    def __init__(self) -> None:
        self.main_window: Any = None
        self.scene = slicer.vtkMRMLScene()
        crosshair = slicer.vtkMRMLCrosshairNode()
        crosshair.SetCrosshairName("default")
        self.scene.AddNode(crosshair)
        self.app_logic = slicer.vtkSlicerApplicationLogic()
        self.app_logic.SetMRMLScene(self.scene)
        self.app_logic.GetColorLogic().SetMRMLScene(self.scene)
        self.app_logic.GetColorLogic().AddDefaultColorNodes()
        self.app_logic.SetSliceLogics(vtk.vtkCollection())
        self.app_logic.SetViewLogics(vtk.vtkCollection())
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, True)
        self.app_logic.SetModuleLogic("Colors", self.app_logic.GetColorLogic())
        self.logics = {name: self._logic(name, kind) for name, kind in MODULE_LOGICS.items()}
        self._prepare_bundles()
        self.files = FileManager(self.logics)
        self.layout = LayoutManager(self.app_logic.GetSliceLogics())
        slicer.mrmlScene = self.scene
        slicer.app = Application(self)
        slicer.modules = SimpleNamespace()
        for name, logic in self.logics.items():
            setattr(slicer.modules, name.lower(), Module(name, logic))

    def _logic(self, name: str, kind: str) -> Any:
        logic = getattr(slicer, kind)()
        if hasattr(logic, "SetModuleShareDirectory"):
            logic.SetModuleShareDirectory(tempfile.gettempdir())
        logic.SetMRMLScene(self.scene)
        logic.SetMRMLApplicationLogic(self.app_logic)
        self.app_logic.SetModuleLogic(name, logic)
        return logic

    def _prepare_bundles(self) -> None:
        # Scene bundles (.mrb) are written and read through the data manager and its cache folder.
        self._remote = slicer.vtkMRMLRemoteIOLogic()
        self._data = slicer.vtkDataIOManagerLogic()
        for logic in (self._remote, self._data):
            logic.SetMRMLScene(self.scene)
            logic.SetMRMLApplicationLogic(self.app_logic)
        self._remote.GetCacheManager().SetRemoteCacheDirectory(_temporary_folder("slicer_cache_"))
        self._data.SetAndObserveDataIOManager(self._remote.GetDataIOManager())
        self._remote.AddDataIOToScene()

    def add_module(self, name: str, path: str) -> Module:
        """Make `slicer.modules.<name>` known, as after loading a scripted module from a file."""
        module = Module(name, path=path)
        setattr(slicer.modules, name.lower(), module)
        return module

    def close(self) -> None:
        """Empty the scene."""
        self.scene.Clear(True)


def _temporary_folder(prefix: str) -> str:
    folder = tempfile.mkdtemp(prefix=prefix)
    atexit.register(shutil.rmtree, folder, True)
    return folder

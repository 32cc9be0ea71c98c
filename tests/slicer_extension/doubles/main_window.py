"""A double of Slicer's main window with the keys that are its own.

Keys from Slicer 5.6 to 5.12: ``Base/QTApp/Resources/UI/qSlicerMainWindow.ui``, ``Base/QTApp/qSlicerMainWindow.cxx``,
``Base/QTGUI/qSlicerModuleSelectorToolBar.cxx``, ``Applications/SlicerApp/qSlicerAppMainWindow.cxx`` and
``Modules/Loadable/Markups/Widgets/qMRMLMarkupsToolBar.cxx``. Undo and redo (Ctrl+Z, Ctrl+Y) are not among them: those
actions are in no menu and on no tool bar, and an action that no widget has does not hear its key. Copy, cut and paste
hold in their own widgets only.
"""

from typing import Any

from PySide6 import QtGui, QtWidgets

ACTIONS = {
    "FileAddDataAction": "Ctrl+O",
    "FileSaveSceneAction": "Ctrl+S",
    "FileCloseSceneAction": "Ctrl+W",
    "EditApplicationSettingsAction": "Ctrl+2",
    "PythonConsoleToggleViewAction": "Ctrl+3",
    "ViewExtensionsManagerAction": "Ctrl+4",
    "ModulePanelAction": "Ctrl+5",
    "MaximizeViewAction": "Ctrl+6",
    "HelpDocumentationAction": "Ctrl+1",
    "ErrorLogToggleViewAction": "Ctrl+0",
    "ModuleHomeAction": "Ctrl+H",
    "ViewFindModuleAction": "Ctrl+F",
    "PreviousModuleAction": "Ctrl+Left",
    "NextModuleAction": "Ctrl+Right",
    "MarkupsCreateNode": "Ctrl+Shift+A",
    "MarkupsTogglePersistence": "Ctrl+Shift+T",
    "MarkupsPlacePoint": "Ctrl+Shift+Space",
}
SLICE_VIEW_KEYS = frozenset("fbgtrvV[]{}")
"""Letters that slice views take: ``Libs/MRML/DisplayableManager/vtkMRMLSliceIntersectionWidget.cxx``."""


class MainWindow(QtWidgets.QMainWindow):
    """The window round the panel.

    Attributes:
        triggered: names of the actions whose keys were pressed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.triggered: list[str] = []
        menu = QtWidgets.QMenuBar(self).addMenu("File")
        for name, key in ACTIONS.items():
            action = QtGui.QAction(name, self)
            action.setShortcut(QtGui.QKeySequence(key))
            action.triggered.connect(lambda checked=False, name=name: self.triggered.append(name))
            menu.addAction(action)
            # As an action of the menu bar it would hold only while that is shown.
            self.addAction(action)

    def moduleSelector(self) -> Any:
        return None

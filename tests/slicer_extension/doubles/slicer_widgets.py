"""Stand-ins for the widgets that CTK and Slicer add to Qt, and a loader for ``.ui`` files that name them.

Only what the panel uses, each looking much like the real one so that pictures of the panel are honest.
"""

import xml.etree.ElementTree as ElementTree
from typing import Any

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets
from PySide6.QtCore import Property, Qt, Signal

QWidget = QtWidgets.QWidget


class ctkCollapsibleButton(QtWidgets.QAbstractButton):  # noqa: N801 (CTK's name)
    """A bar with an arrow and a title; a click folds what lies below."""

    contentsCollapsed = Signal(bool)

    def __init__(self, *values: Any) -> None:
        super().__init__(next((value for value in values if isinstance(value, QWidget)), None))
        self._is_collapsed = False
        for value in values:
            if isinstance(value, str):
                self.setText(value)
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(lambda is_open: self._fold(not is_open))
        self.setSizePolicy(QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.Fixed)
        QWidget.setContentsMargins(self, 0, self._bar() + 2, 0, 2)

    def _bar(self) -> int:
        return QtGui.QFontMetrics(self.property("font")).height() + 9

    def _fold(self, is_collapsed: bool) -> None:
        self._is_collapsed = bool(is_collapsed)
        for child in self.findChildren(QWidget, options=Qt.FindDirectChildrenOnly):
            # What was hidden on purpose stays hidden when the section opens, as in CTK.
            if is_collapsed:
                child.setProperty("_was_hidden", child.isHidden())
                child.setVisible(False)
            else:
                child.setVisible(not child.property("_was_hidden"))
        self.updateGeometry()
        self.update()
        self.contentsCollapsed.emit(self._is_collapsed)

    def _collapsed(self) -> bool:
        return self._is_collapsed

    def setCollapsed(self, is_collapsed: bool) -> None:
        self.setChecked(not is_collapsed)

    collapsed = Property(bool, _collapsed, setCollapsed)

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        super().childEvent(event)
        if self._is_collapsed and event.added() and isinstance(event.child(), QWidget):
            event.child().setVisible(False)

    def sizeHint(self) -> QtCore.QSize:
        layout = QWidget.layout(self)
        if self._is_collapsed or layout is None:
            return QtCore.QSize(120, self._bar() + 2)
        wanted = layout.totalSizeHint()
        width = self.property("width")
        height = layout.totalHeightForWidth(width) if layout.hasHeightForWidth() else wanted.height()
        return QtCore.QSize(max(120, wanted.width()), height)

    def minimumSizeHint(self) -> QtCore.QSize:
        layout = QWidget.layout(self)
        wanted = self.sizeHint()
        if self._is_collapsed or layout is None:
            return wanted
        return QtCore.QSize(layout.totalMinimumSize().width(), wanted.height())

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self.updateGeometry()

    def hitButton(self, position: QtCore.QPoint) -> bool:
        return position.y() <= self._bar()

    def paintEvent(self, event: Any) -> None:
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.property("width"), self._bar())
        option.features = QtWidgets.QStyleOptionButton.None_
        option.state |= QtWidgets.QStyle.State_Raised
        painter.drawControl(QtWidgets.QStyle.CE_PushButtonBevel, option)
        arrow = QtWidgets.QStyleOption()
        arrow.initFrom(self)
        arrow.rect = QtCore.QRect(8, self._bar() // 2 - 5, 10, 10)
        kind = "PE_IndicatorArrowRight" if self._is_collapsed else "PE_IndicatorArrowDown"
        painter.drawPrimitive(getattr(QtWidgets.QStyle, kind), arrow)
        painter.drawText(option.rect.adjusted(26, 0, -4, 0), Qt.AlignVCenter | Qt.AlignLeft, self.property("text"))


class ctkPathLineEdit(QWidget):  # noqa: N801 (CTK's name)
    """A path with a button that chooses one."""

    currentPathChanged = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self._edit = QtWidgets.QLineEdit()
        button = QtWidgets.QToolButton()
        button.setText("…")
        layout.addWidget(self._edit)
        layout.addWidget(button)
        self._edit.textChanged.connect(self.currentPathChanged)

    def setCurrentPath(self, path: str) -> None:
        self._edit.setText(path)

    currentPath = Property(str, lambda self: self._edit.property("text"), setCurrentPath)
    _words = ("filters", "nameFilters", "settingKey")
    filters = Property(int, lambda self: 0, lambda self, value: None)
    settingKey = Property(str, lambda self: "", lambda self, value: None)
    nameFilters = Property("QStringList", lambda self: [], lambda self, value: None)


class qMRMLWidget(QWidget):  # noqa: N801 (Slicer's name)
    """A widget that knows the scene and hands it on."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = None

    def mrmlScene(self) -> Any:
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)
        for child in self.findChildren(QWidget):
            # In the place of the connections of the .ui file, whose signatures name VTK's types.
            if child is not self and hasattr(child, "setMRMLScene"):
                child.setMRMLScene(scene)


class qMRMLNodeComboBox(QWidget):  # noqa: N801 (Slicer's name)
    """Chooses a node of the scene by class."""

    currentNodeChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._box = QtWidgets.QComboBox()
        self._box.setSizePolicy(QtWidgets.QSizePolicy.Ignored, QtWidgets.QSizePolicy.Fixed)
        layout.addWidget(self._box)
        self._scene, self._observed, self._last = None, [], None
        self._values: dict[str, Any] = {"nodeTypes": [], "noneEnabled": False}
        self._box.currentIndexChanged.connect(lambda index: self._tell())

    def _declared(kind: str, name: str) -> Property:  # noqa: N805 (makes the properties below)
        def write(self: Any, value: Any) -> None:
            self._values[name] = value
            self._refresh()

        return Property(kind, lambda self: self._values.get(name, False), write)

    nodeTypes = _declared("QStringList", "nodeTypes")
    noneEnabled = _declared("bool", "noneEnabled")
    addEnabled = _declared("bool", "addEnabled")
    removeEnabled = _declared("bool", "removeEnabled")
    renameEnabled = _declared("bool", "renameEnabled")
    editEnabled = _declared("bool", "editEnabled")
    del _declared

    def setMRMLScene(self, scene: Any) -> None:
        for tag in self._observed:
            self._scene.RemoveObserver(tag)
        self._scene = scene
        events = () if scene is None else (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndCloseEvent)
        self._observed = [scene.AddObserver(event, lambda caller, name: self._refresh()) for event in events]
        self._refresh()

    def mrmlScene(self) -> Any:
        return self._scene

    def currentNode(self) -> Any:
        identity = self._box.itemData(self._box.property("currentIndex"))
        return self._scene.GetNodeByID(identity) if self._scene is not None and identity else None

    def setCurrentNode(self, node: Any) -> None:
        self._box.setCurrentIndex(self._box.findData(node.GetID() if node else ""))

    def _refresh(self) -> None:
        before = self._box.itemData(self._box.property("currentIndex"))
        self._box.blockSignals(True)
        self._box.clear()
        if self._values["noneEnabled"]:
            self._box.addItem("None", "")
        for kind in self._values["nodeTypes"] if self._scene is not None else ():
            for index in range(self._scene.GetNumberOfNodesByClass(kind)):
                node = self._scene.GetNthNodeByClass(index, kind)
                if not node.GetHideFromEditors() and self._box.findData(node.GetID()) < 0:
                    self._box.addItem(node.GetName(), node.GetID())
        self._box.setCurrentIndex(max(self._box.findData(before), 0) if self._box.property("count") else -1)
        self._box.blockSignals(False)
        self._tell()

    def _tell(self) -> None:
        identity = self._box.itemData(self._box.property("currentIndex"))
        if identity != self._last:
            self._last = identity
            self.currentNodeChanged.emit(self.currentNode())


CLASSES = {each.__name__: each for each in (ctkCollapsibleButton, ctkPathLineEdit, qMRMLWidget, qMRMLNodeComboBox)}


class UiLoader(QtUiTools.QUiLoader):
    """Loads a ``.ui`` file with the classes above and with ``qt``'s, and refuses a class that nobody knows."""

    def load(self, file: Any, parent: QWidget | None = None) -> QWidget:
        root = ElementTree.fromstring(bytes(file.readAll().data()))
        for custom in root.iter("customwidget"):
            self.registerCustomWidget(CLASSES[custom.findtext("class")])
        connections = root.find("connections")
        if connections is not None:
            root.remove(connections)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(root))
        buffer.open(QtCore.QIODevice.ReadOnly)
        return super().load(buffer, parent)

    def createWidget(self, class_name: str, parent: QWidget | None = None, name: str = "") -> QWidget:
        import qt

        cls = CLASSES.get(class_name) or getattr(qt, class_name, None)
        if cls is None:
            return super().createWidget(class_name, parent, name)
        widget = cls(parent)
        widget.setObjectName(name)
        if isinstance(widget, QtWidgets.QTableWidget):
            # The table's own header is Qt's and could not be connected to by a signature.
            header = qt.QHeaderView(Qt.Horizontal, widget)
            header.setSectionsClickable(True)
            widget.setHorizontalHeader(header)
        # The C++ side does not keep the Python object; without one it would lose its class.
        self.__dict__.setdefault("_kept", []).append(widget)
        return widget

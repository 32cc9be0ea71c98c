"""PySide6 under the rules of PythonQt: code written for Slicer runs, is clicked and is pictured without Slicer.

``install()`` publishes the modules ``qt`` and ``ctk`` and adds Slicer's widgets to ``slicer``. The rules it keeps, each
with the file of PythonQt that it comes from, stand in ``PYTHONQT.md``.

A stand-in: it does not prove that the module runs inside the application.
"""

import inspect
import os
import sys
import types
from collections.abc import Callable
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6 import QtCore, QtGui, QtPrintSupport, QtWidgets
from tests.slicer_extension.doubles.pythonqt_returns import refuse_unknown_returns

QObject = QtCore.QObject

# Shiboken looks virtual getters up on the instance to find a Python override; a property there would recurse.
_VIRTUAL_GETTERS = {"sizeHint", "minimumSizeHint", "hasHeightForWidth"}
# A static function of the same name, which is what scripts use.
_STATIC = {"singleShot"}
_MODULES = (QtCore, QtGui, QtWidgets, QtPrintSupport)
_exported: dict[type, type] = {}
_with_properties: set[type] = set()


def _getter(cls: type, name: str) -> Callable[[Any], Any]:
    capital = name[0].upper() + name[1:]
    for candidate in (name, f"is{capital}", f"has{capital}", f"get{capital}"):
        found = getattr(cls, candidate, None)
        if callable(found):
            return found
    return lambda self: self.property(name)


def _setter(cls: type, name: str, is_writable: bool) -> Callable[[Any, Any], Any] | None:
    found = getattr(cls, f"set{name[0].upper()}{name[1:]}", None)
    if callable(found):
        return found
    return (lambda self, value: self.setProperty(name, value)) if is_writable else None


def properties_as_attributes(cls: type) -> None:
    """Every property that a class itself declares becomes an attribute, as PythonQt shows it."""
    if cls in _with_properties or not hasattr(cls, "staticMetaObject"):
        return
    _with_properties.add(cls)
    meta = cls.staticMetaObject
    for index in range(meta.propertyOffset(), meta.propertyCount()):
        declared = meta.property(index)
        name = declared.name()
        if name not in _VIRTUAL_GETTERS | _STATIC and not isinstance(cls.__dict__.get(name), QtCore.Property):
            setattr(cls, name, property(_getter(cls, name), _setter(cls, name, declared.isWritable())))


def _taking_what_it_takes(slot: Callable[..., Any], signature: str) -> Callable[..., Any]:
    """A slot that gets the values which the signature names: of them a function as many as it takes, others all."""
    given = taken = len([each for each in signature.partition("(")[2].rstrip(")").split(",") if each.strip()])
    if inspect.isfunction(slot) or (inspect.ismethod(slot) and inspect.isfunction(slot.__func__)):
        code = getattr(slot, "__func__", slot).__code__
        if not code.co_flags & inspect.CO_VARARGS:
            taken = min(given, code.co_argcount - inspect.ismethod(slot))

    def call(*values: Any) -> Any:
        return slot(*values[:taken])

    # PySide6 chooses among a signal's overloads by the number of parameters of the slot.
    return (lambda: call(), lambda a: call(a), lambda a, b: call(a, b), lambda a, b, c: call(a, b, c))[given]


def _signal(sender: Any, signature: str) -> Any:
    name = signature.split("(")[0]
    found = getattr(sender, name, None)
    if not hasattr(found, "connect"):
        raise ValueError(f"{type(sender).__name__} has no signal {signature}")
    normalized = QtCore.QMetaObject.normalizedSignature(signature)
    text = normalized.data().decode() if hasattr(normalized, "data") else str(normalized)
    # Signals of the stand-ins in slicer_widgets are Python's own, without the C++ types.
    is_python = type(sender).__module__.endswith("slicer_widgets")
    if not is_python and sender.metaObject().indexOfSignal(text) < 0:
        raise ValueError(f"{type(sender).__name__} has no signal {signature}")
    return found


def _connect(self: Any, signature: str, slot: Callable[..., Any]) -> bool:
    adapted = _taking_what_it_takes(slot, signature)
    self.__dict__.setdefault("_connections", []).append((signature.split("(")[0], slot, adapted))
    _signal(self, signature).connect(adapted)
    return True


def _disconnect(self: Any, signature: str, slot: Callable[..., Any] | None = None) -> bool:
    name, kept = signature.split("(")[0], []
    for connection in self.__dict__.get("_connections", []):
        if connection[0] == name and slot in (None, connection[1]):
            getattr(self, name).disconnect(connection[2])
        else:
            kept.append(connection)
    self.__dict__["_connections"] = kept
    return True


def _refusing_setattr(self: Any, name: str, value: Any) -> None:
    cls = type(self)
    if cls in _exported.values() and not name.startswith("_") and not hasattr(cls, name):
        raise AttributeError(f"{cls.__name__} has no attribute {name!r}; PythonQt would not make one")
    cls.__dict__.get("_qt_class", QObject).__setattr__(self, name, value)


class _InstancesOfQtClass(type(QObject)):
    """``isinstance(x, qt.QWidget)`` holds for every QWidget, also for those that Qt made."""

    def __call__(cls, *values: Any, **named: Any) -> Any:
        if named and cls.__module__ == "qt":
            raise ValueError(f"Called {cls.__name__} with keyword arguments, but called slot does not support kwargs")
        return super().__call__(*values, **named)

    def __instancecheck__(cls, instance: Any) -> bool:
        qt_class = cls.__dict__.get("_qt_class")
        return super().__instancecheck__(instance) if qt_class is None else isinstance(instance, qt_class)

    def __subclasscheck__(cls, subclass: type) -> bool:
        qt_class = cls.__dict__.get("_qt_class")
        return super().__subclasscheck__(subclass) if qt_class is None else issubclass(subclass, qt_class)


def exported(cls: type) -> type:
    """The class as ``qt`` publishes it: a thin subclass, since ``connect`` of a C++ class cannot be replaced."""
    if cls not in _exported:
        content = {
            "_qt_class": cls,
            "connect": _connect,
            "disconnect": _disconnect,
            "__setattr__": _refusing_setattr,
            "__module__": "qt",
        }
        _exported[cls] = _InstancesOfQtClass(cls.__name__, (cls,), content)
    return _exported[cls]


def adapt(cls: type) -> type:
    """Give a widget class written in Python (a stand-in of Slicer's) the rules of PythonQt."""
    properties_as_attributes(cls)
    cls.connect, cls.disconnect = _connect, _disconnect
    return cls


class _Bytes(QtCore.QByteArray):
    """What ``qt.QByteArray`` makes: a wrapper, no sequence of Python's."""

    __bytes__ = __len__ = __getitem__ = __contains__ = __iter__ = None  # type: ignore[assignment]


def _single_shot(milliseconds: int, action: Callable[[], Any]) -> None:
    """As Slicer puts it in the place of Qt's own: a timer that stays with the module manager."""
    import slicer

    timer = exported(QtCore.QTimer)(slicer.app.moduleManager())
    timer.setSingleShot(True)
    timer.connect("timeout()", action)
    timer.start(milliseconds)


def _qt_module() -> types.ModuleType:
    module = types.ModuleType("qt")
    for source in _MODULES:
        # By `dir`: PySide6 makes a class when it is asked for.
        module.__dict__.update({name: getattr(source, name) for name in dir(source) if not name.startswith("_")})
    shared = (QtCore.QCoreApplication, QtGui.QGuiApplication, QtWidgets.QApplication)
    for name, value in list(vars(module).items()):
        if inspect.isclass(value) and issubclass(value, QObject) and value not in shared:
            try:
                setattr(module, name, exported(value))
            except TypeError:
                # A final class of Qt: published as it is.
                continue
    module.QByteArray = _Bytes
    # PySide6 gives the chosen filter beside the path, PythonQt the path alone.
    module.QFileDialog.getSaveFileName = staticmethod(lambda *values: QtWidgets.QFileDialog.getSaveFileName(*values)[0])
    module.QTextDocument.print = QtGui.QTextDocument.print_
    module.QTimer.singleShot = staticmethod(_single_shot)
    return module


def install() -> QtWidgets.QApplication:
    """Publish ``qt``, ``ctk`` and Slicer's widgets; the application object is kept by Qt."""
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    if "qt" in sys.modules:
        return application
    for source in _MODULES:
        for value in [getattr(source, name) for name in dir(source)]:
            if inspect.isclass(value) and issubclass(value, QObject):
                properties_as_attributes(value)
    refuse_unknown_returns(_MODULES)
    QObject.name = property(lambda self: self.property("objectName"), lambda self, value: self.setObjectName(value))
    QObject.className = lambda self: self.metaObject().className()
    sys.modules["qt"] = qt = _qt_module()

    from tests.slicer_extension.doubles import slicer_widgets

    qt.QUiLoader = slicer_widgets.UiLoader
    sys.modules["ctk"] = ctk = types.ModuleType("ctk")
    import slicer

    for name, cls in slicer_widgets.CLASSES.items():
        setattr(ctk if name.startswith("ctk") else slicer, name, adapt(cls))
    return application

"""What PythonQt cannot hand out: see the rule "By-value returns" in ``PYTHONQT.md``."""

import enum
import inspect
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

from PySide6.QtCore import QObject
from shibokensupport.signature import get_signature


def _returned(method: Any) -> list[type]:
    """Classes that the overloads of a method of Qt return."""
    found = get_signature(method)
    overloads = found if isinstance(found, list) else [found]
    kinds = [getattr(each, "return_annotation", None) for each in overloads]
    return [kind for kind in kinds if inspect.isclass(kind)]


def _is_unknown(kind: type) -> bool:
    """Whether PythonQt can make no empty value of a class, into which Qt would write what it returns."""
    is_value = kind.__module__.startswith("PySide6") and hasattr(kind, "__copy__")
    if not is_value or issubclass(kind, (QObject, enum.Enum)):
        return False
    try:
        kind()
    except TypeError:
        return True
    except NotImplementedError:
        return False
    return False


def _methods(modules: Iterable[ModuleType]) -> Iterator[tuple[type, str, Any]]:
    for module in modules:
        for name in dir(module):
            cls = getattr(module, name)
            if inspect.isclass(cls):
                for key, value in list(vars(cls).items()):
                    if not key.startswith("_") and type(value).__name__ in ("method_descriptor", "staticmethod"):
                        yield cls, key, value


def _refusing(cls: type, name: str, kind: type) -> Callable[..., Any]:
    def refuse(*values: Any) -> Any:
        raise ValueError(
            f"Called {cls.__name__}.{name}, return type {kind.__name__!r} is ignored because it is unknown to PythonQt"
        )

    return refuse


def refuse_unknown_returns(modules: Iterable[ModuleType]) -> list[str]:
    """Replace the methods whose value PythonQt would drop with ones that raise as it does; their names."""
    known: dict[type, bool] = {}
    refused = []
    for cls, name, method in _methods(modules):
        try:
            kinds = _returned(method)
        except (AttributeError, TypeError, KeyError):
            continue
        for kind in kinds:
            if kind not in known:
                known[kind] = _is_unknown(kind)
        unknown = [kind for kind in kinds if known[kind]]
        if unknown and len(unknown) == len(kinds):
            setattr(cls, name, _refusing(cls, name, unknown[0]))
            refused.append(f"{cls.__name__}.{name}")
    return refused

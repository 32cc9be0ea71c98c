"""Loading what a screening needs, and no more.

MONAI imports every optional package that it finds at once. Two of them, Ignite and MLflow, take a third of the time and
serve its training engines and trackers, of which a screening uses nothing.
"""

import importlib
import sys

UNUSED = ("ignite", "mlflow")


def import_monai() -> None:
    """Import MONAI as if ``UNUSED`` were not installed; both can be imported afterwards as ever.

    MONAI takes each as optional. Where it is loaded already, or one of them is, nothing changes.
    """
    if "monai" in sys.modules:
        return
    hidden = [name for name in UNUSED if name not in sys.modules]
    for name in hidden:
        # Python's own way to make an import fail: the documentation of `sys.modules`.
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        importlib.import_module("monai")
    finally:
        for name in hidden:
            del sys.modules[name]

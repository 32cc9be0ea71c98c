"""Loading what a screening needs, and no more.

A CT needs no MONAI. The networks for X-rays do, and MONAI imports every optional package that it finds at once:
readers of other formats, plots, tables, trackers and training engines take most of the time, and a screening uses none.
"""

import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

UNUSED = ("ignite", "itk", "matplotlib", "mlflow", "pandas", "pyarrow", "sklearn", "tensorboard")


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


@contextmanager
def uncollected() -> Iterator[None]:
    """Import without Python's search for reference cycles, and leave all that is there out of every later search.

    Torch and the others make some hundred thousand objects that live as long as the program. To look through them time
    and again takes a sixth of the imports' time, and as the program ends a third of it once more.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()

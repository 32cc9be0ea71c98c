"""The class list that documents of a site keep to."""

from ..methods import METHODS
from ..models.store import ModelStore
from ..verdict import DEFAULT_CLASSES, Classes


def class_list(store: ModelStore) -> Classes:
    """The list of the networks in use; the paper's where none has one."""
    found = (method.stored_classes(store) for method in METHODS)
    return next((classes for classes in found if classes is not None), DEFAULT_CLASSES)

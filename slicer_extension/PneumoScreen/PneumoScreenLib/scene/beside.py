"""A prior scan of the patient beside the open case: two axial views that scroll together."""

from typing import Any, Dict, List, Optional, Sequence

import numpy as np
import slicer
import slicer.util
import vtk

from ..translation import _
from .hanging import LUNG, WINDOWS_HU
from .views import layer_nodes, slice_nodes
from .volumes import SceneError, read_volume

OPEN_VIEW, PRIOR_VIEW = "Red", "Yellow"
"""Views of Slicer's layout "side by side"."""
USUAL, OBLIQUE = "Sagittal", "Reformat"
"""How the second view stands in every other layout of Slicer's; what Slicer calls a view that somebody turned."""
SAMPLES, AIR_HU = 96, -400
"""Samples along an axis, and below what a voxel is air; ours."""


class Beside:
    """Shows one prior at a time; it is no case: nothing is drawn on it.

    Args:
        scene: MRML scene.

    Attributes:
        volume: its vtkMRMLScalarVolumeNode; None where there is none.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self.volume: Any = None
        self._transform: Any = None
        self._layout: Optional[int] = None
        self._orientation = USUAL
        self._links: Dict[str, int] = {}

    def show(self, path: str, name: str, volume: Any) -> None:
        """Show a prior beside the volume of the open case.

        Args:
            path: its file.
            name: that its volume gets.
            volume: vtkMRMLScalarVolumeNode of the open case.

        Raises:
            SceneError: if Slicer cannot read the file.
        """
        self.clear(volume)
        try:
            prior = read_volume(path, name)
        except RuntimeError:
            raise SceneError(
                _("Slicer cannot read the prior in {path}: delete the file and try again.").format(path=path)
            ) from None
        # Fetched from the server again, so a saved scene need not carry another examination.
        prior.SetSaveWithScene(False)
        self.volume = prior
        self.set_window(LUNG)
        self._move_onto(volume)
        manager, kinds = slicer.app.layoutManager(), slicer.vtkMRMLLayoutNode
        if manager is not None:
            self._layout = manager.layout
            manager.setLayout(kinds.SlicerLayoutSideBySideView)
        self._lay()

    def set_window(self, name: str) -> None:
        """Show it in one of ``WINDOWS_HU``, as the open case."""
        if self.volume is not None and self._scene.IsNodePresent(self.volume):
            self.volume.GetDisplayNode().AutoWindowLevelOff()
            self.volume.GetDisplayNode().SetWindowLevel(*WINDOWS_HU[name])

    def clear(self, volume: Any = None) -> None:
        """Take it out of the scene; the views show the open case as before.

        Args:
            volume: of the open case; None where there is none.
        """
        if self.volume is None:
            return
        prior, self.volume = self.volume, None
        manager = slicer.app.layoutManager()
        if manager is not None and self._layout is not None:
            manager.setLayout(self._layout)
        shown = volume.GetID() if volume is not None and self._scene.IsNodePresent(volume) else None
        for layers in layer_nodes():
            if layers.GetBackgroundVolumeID() == prior.GetID():
                layers.SetBackgroundVolumeID(shown)
            if layers.GetID() in self._links:
                layers.SetLinkedControl(self._links[layers.GetID()])
        view = _view(PRIOR_VIEW)
        if view is not None:
            view.SetOrientation(self._orientation)
        self._links, self._layout = {}, None
        for node in (prior, self._transform):
            if node is not None and self._scene.IsNodePresent(node):
                self._scene.RemoveNode(node)
        self._transform = None

    def _move_onto(self, volume: Any) -> None:
        """Shift it so that its lungs, or what stands for them, lie where those of the open case do.

        Ours: no registration, a shift that brings the middles of the air inside of both bodies together. Each
        examination has a frame of its own, so that without it the views would scroll together through unlike places.
        Breath and posture differ all the same: the reader may take Slicer's link off and scroll the rest.
        """
        shift = air_middle(volume) - air_middle(self.volume)
        matrix = vtk.vtkMatrix4x4()
        for row in range(3):
            matrix.SetElement(row, 3, float(shift[row]))
        self._transform = self._scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "Prior to case")
        self._transform.SetSaveWithScene(False)
        self._transform.SetHideFromEditors(True)
        self._transform.SetMatrixTransformToParent(matrix)
        self.volume.SetAndObserveTransformNodeID(self._transform.GetID())

    def _lay(self) -> None:
        view, other = _view(PRIOR_VIEW), _view(OPEN_VIEW)
        if view is None or other is None:
            return
        self._orientation = USUAL if view.GetOrientation() == OBLIQUE else view.GetOrientation()
        for layers in layer_nodes():
            self._links[layers.GetID()] = layers.GetLinkedControl()
            if layers.GetLayoutName() == PRIOR_VIEW:
                layers.SetBackgroundVolumeID(self.volume.GetID())
                layers.SetForegroundVolumeID(None)
                layers.SetLabelVolumeID(None)
            # Slicer itself then scrolls, zooms and pans views of one orientation together.
            layers.SetLinkedControl(True)
        view.SetFieldOfView(*_fitted(view, other.GetFieldOfView()))
        view.SetXYZOrigin(*other.GetXYZOrigin())
        # The plane itself, as Slicer's own link copies it.
        view.GetSliceToRAS().DeepCopy(other.GetSliceToRAS())
        view.UpdateMatrices()


def air_middle(volume: Any) -> np.ndarray:
    """Middle, RAS in mm, of the air inside of the body of a chest CT; of the volume where there is none.

    Args:
        volume: vtkMRMLScalarVolumeNode, in HU.
    """
    values = slicer.util.arrayFromVolume(volume)
    steps = [-(-size // SAMPLES) for size in values.shape]
    air = values[tuple(slice(step // 2, None, step) for step in steps)] < AIR_HU
    inside = air & ~_open_to_the_side(air)
    places = np.argwhere(inside)
    middle = (np.median(places, axis=0) if len(places) else (np.array(air.shape) - 1) / 2.0) * steps
    middle = middle + [step // 2 for step in steps]
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return np.array(matrix.MultiplyPoint((*middle[::-1], 1.0))[:3])


def _open_to_the_side(air: np.ndarray) -> np.ndarray:
    """Air that reaches an edge of the picture along its row or its column: outside of the body. bool [k, j, i]."""
    outside = np.zeros_like(air)
    for axis in (1, 2):
        for line in (air, np.flip(air, axis)):
            reached = np.logical_and.accumulate(line, axis=axis)
            outside |= reached if line is air else np.flip(reached, axis)
    return outside


def _view(name: str) -> Any:
    return next((node for node in slice_nodes().values() if node.GetLayoutName() == name), None)


def _fitted(view: Any, field: Sequence[float]) -> List[float]:
    """The other view's scale in a view of another shape: width and height in mm."""
    width, height, _ = view.GetDimensions()
    return [field[0], field[0] * height / max(width, 1), view.GetFieldOfView()[2]]

"""The lungs as a transparent surface in the 3-D views, with the infection in it, made of the masks."""

from typing import Any, List, Sequence, Tuple

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from ..palette import INFECTION, LUNGS, Colour
from ..translation import _
from .label_map import INFECTED, LEFT, RIGHT, LabelMap

SMOOTHING = 1.0
"""Standard deviation in samples, ours: the steps of the samples go, lobes and fissures' outlines stay."""
HALF = 127.5
SURFACES: Sequence[Tuple[str, Tuple[int, ...], Colour, float]] = (
    (_("Lungs (surface)"), (LEFT, RIGHT, INFECTED), LUNGS, 0.15),
    (_("Infection (surface)"), (INFECTED,), INFECTION, 0.7),
)
"""Name, values of the label map, colour and opacity; what is infected is part of the lungs' surface, too."""


class LungSurface:
    """The surfaces of the open case.

    Args:
        scene: MRML scene.

    Attributes:
        nodes: their vtkMRMLModelNodes.
        is_on: whether they are shown; that holds for the next case, too.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self.nodes: List[Any] = []
        self.is_on = True

    def show(self, samples: LabelMap) -> None:
        """Make the surfaces of samples of the masks, which are enough for the eye."""
        self.clear()
        for name, wanted, colour, opacity in SURFACES:
            inside = np.isin(samples.values, wanted)
            if inside.any():
                self.nodes.append(self._model(name, _surface(inside, samples.to_ras), colour, opacity))
        self._apply(self.is_on)

    def set_visible(self, is_visible: bool) -> None:
        """Switch them on or off, also for the next case."""
        self.is_on = is_visible
        self._apply(is_visible)

    def hide(self, is_hidden: bool) -> None:
        """Hide them for a moment, or show them again where they are switched on."""
        self._apply(self.is_on and not is_hidden)

    def clear(self) -> None:
        """Take them out of the scene."""
        for node in self.nodes:
            if self._scene.IsNodePresent(node):
                display = node.GetDisplayNode()
                self._scene.RemoveNode(node)
                if display is not None and self._scene.IsNodePresent(display):
                    self._scene.RemoveNode(display)
        self.nodes = []

    def _model(self, name: str, surface: Any, colour: Colour, opacity: float) -> Any:
        node = self._scene.AddNewNodeByClass("vtkMRMLModelNode", name)
        # Made of the server's masks again, so a saved scene need not carry it.
        node.SetSaveWithScene(False)
        node.SetAndObservePolyData(surface)
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetSaveWithScene(False)
        display.SetColor(*colour)
        display.SetScalarVisibility(False)
        display.SetOpacity(opacity)
        # The far wall of a lung is seen through the near one.
        display.SetBackfaceCulling(False)
        display.SetVisibility2D(False)
        return node

    def _apply(self, is_visible: bool) -> None:
        for node in self.nodes:
            if self._scene.IsNodePresent(node):
                node.GetDisplayNode().SetVisibility(is_visible)


def _surface(inside: np.ndarray, to_ras: np.ndarray) -> Any:
    """A closed surface round samples.

    Args:
        inside: bool [k, j, i].
        to_ras: [4, 4], from indices (i, j, k, 1) to RAS in mm.

    Returns:
        vtkPolyData in RAS.
    """
    # A rim of nothing, so that a lung which the scan cuts is closed there.
    padded = np.pad(inside, 1)
    image = vtk.vtkImageData()
    image.SetDimensions(*padded.shape[::-1])
    image.SetOrigin(-1.0, -1.0, -1.0)
    scalars = (padded * np.float32(2 * HALF)).ravel()
    image.GetPointData().SetScalars(numpy_to_vtk(scalars, deep=1))
    smooth = vtk.vtkImageGaussianSmooth()
    smooth.SetInputData(image)
    smooth.SetStandardDeviation(SMOOTHING)
    edges = vtk.vtkFlyingEdges3D()
    edges.SetInputConnection(smooth.GetOutputPort())
    edges.SetValue(0, HALF)
    edges.ComputeNormalsOff()
    # Every point has the value of the surface, which Slicer would colour in the place of our own colour.
    edges.ComputeScalarsOff()
    transform = vtk.vtkTransform()
    transform.SetMatrix(to_ras.ravel())
    placed = vtk.vtkTransformPolyDataFilter()
    placed.SetInputConnection(edges.GetOutputPort())
    placed.SetTransform(transform)
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputConnection(placed.GetOutputPort())
    normals.SplittingOff()
    normals.AutoOrientNormalsOn()
    normals.Update()
    return normals.GetOutput()

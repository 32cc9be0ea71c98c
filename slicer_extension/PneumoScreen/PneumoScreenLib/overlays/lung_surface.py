"""The lungs as a transparent surface in the 3-D views, with the infection in it, made of the masks."""

from typing import Any, List, Sequence, Tuple

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from ..scene.colours import INFECTION, LUNGS, Colour
from ..translation import _
from .lung_sides import index_to_ras, sampled

SMOOTHING = 1.0
"""Standard deviation in samples, ours: the steps of the samples go, lobes and fissures' outlines stay."""
HALF = 127.5
SURFACES: Sequence[Tuple[str, Tuple[int, ...], Colour, float]] = (
    (_("Lungs (surface)"), (1, 2, 3), LUNGS, 0.15),
    (_("Infection (surface)"), (3,), INFECTION, 0.7),
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

    def show(self, labels: Any) -> None:
        """Make the surfaces of a vtkMRMLLabelMapVolumeNode (1 left lung, 2 right lung, 3 infection).

        The samples of ``lung_sides`` are enough for the eye, and take a tenth of a second.
        """
        self.clear()
        values, steps = sampled(labels)
        turn, shift = index_to_ras(labels)
        for name, wanted, colour, opacity in SURFACES:
            surface = _surface(np.isin(values, wanted), steps, turn, shift)
            if surface.GetNumberOfPoints():
                self.nodes.append(self._model(name, surface, colour, opacity))
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
        display.SetOpacity(opacity)
        # The far wall of a lung is seen through the near one.
        display.SetBackfaceCulling(False)
        display.SetVisibility2D(False)
        return node

    def _apply(self, is_visible: bool) -> None:
        for node in self.nodes:
            if self._scene.IsNodePresent(node):
                node.GetDisplayNode().SetVisibility(is_visible)


def _surface(inside: np.ndarray, steps: Sequence[int], turn: np.ndarray, shift: np.ndarray) -> Any:
    """A closed surface round samples.

    Args:
        inside: bool [k, j, i].
        steps: voxels from sample to sample, k, j, i.
        turn: [3, 3], from voxel indices (i, j, k) to RAS in mm.
        shift: [3].

    Returns:
        vtkPolyData in RAS.
    """
    # A rim of nothing, so that a lung which the scan cuts is closed there.
    padded = np.pad(inside, 1)
    image = vtk.vtkImageData()
    image.SetDimensions(*padded.shape[::-1])
    scalars = (padded * np.float32(2 * HALF)).ravel()
    image.GetPointData().SetScalars(numpy_to_vtk(scalars, deep=1))
    smooth = vtk.vtkImageGaussianSmooth()
    smooth.SetInputData(image)
    smooth.SetStandardDeviation(SMOOTHING)
    edges = vtk.vtkFlyingEdges3D()
    edges.SetInputConnection(smooth.GetOutputPort())
    edges.SetValue(0, HALF)
    edges.ComputeNormalsOff()
    matrix = vtk.vtkMatrix4x4()
    scale = np.array(steps, dtype=float)[::-1]
    first = np.array([step // 2 for step in steps], dtype=float)[::-1] - scale
    for row in range(3):
        for column in range(3):
            matrix.SetElement(row, column, turn[row, column] * scale[column])
        matrix.SetElement(row, 3, float(turn[row] @ first + shift[row]))
    transform = vtk.vtkTransform()
    transform.SetMatrix(matrix)
    placed = vtk.vtkTransformPolyDataFilter()
    placed.SetInputConnection(edges.GetOutputPort())
    placed.SetTransform(transform)
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputConnection(placed.GetOutputPort())
    normals.SplittingOff()
    normals.AutoOrientNormalsOn()
    normals.Update()
    return normals.GetOutput()

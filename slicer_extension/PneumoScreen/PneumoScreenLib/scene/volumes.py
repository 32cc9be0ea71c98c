"""Volumes: from a file into the scene and all slice views, and from the scene into a file for the server."""

import os
from typing import Any, Tuple

import numpy as np
import slicer
import slicer.util
import vtk

from .radiograph import grey_range, is_radiograph

CASE_ATTRIBUTE = "PneumoScreen.case"
LUNG_WINDOW_HU = (1500.0, -500.0)
"""Width and level of the window in which lungs are read."""


class SceneError(Exception):
    """What could not be put into the scene or taken from it, in one sentence."""


def load_volume(path: str, case_id: str) -> Any:
    """Show the volume of a case in all slice views, with a lung window; it takes the place of the case before.

    Returns:
        Its vtkMRMLScalarVolumeNode; the same node as before where the file is already loaded.

    Raises:
        SceneError: if Slicer cannot read the file.
    """
    known = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    earlier = [node for node in known if node.GetAttribute(CASE_ATTRIBUTE)]
    for node in earlier:
        if node.GetAttribute(CASE_ATTRIBUTE) == case_id and _file_of(node) == os.path.abspath(path):
            show_volume(node)
            return node
    try:
        volume = slicer.util.loadVolume(path, {"name": case_id, "singleFile": True, "show": False})
    except RuntimeError:
        raise SceneError(f"Slicer cannot read {path}: delete the file and open the case again.") from None
    volume.SetAttribute(CASE_ATTRIBUTE, case_id)
    for node in earlier:
        slicer.mrmlScene.RemoveNode(node)
    show_volume(volume)
    return volume


def case_volume() -> Any:
    """The volume of the open case; None where there is none."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return next((node for node in nodes if node.GetAttribute(CASE_ATTRIBUTE)), None)


def show_volume(volume: Any) -> None:
    """Show a volume in all slice views, a scan with a lung window, a radiograph with its own range of greys."""
    if volume.GetDisplayNode() is None:
        volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    display.AutoWindowLevelOff()
    if is_radiograph(volume):
        display.SetWindowLevelMinMax(*grey_range(volume))
    else:
        display.SetWindowLevel(*LUNG_WINDOW_HU)
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    slicer.util.setSliceViewerLayers(background=volume, fit=True)


def save_volume(volume: Any, folder: str, name: str) -> str:
    """Write a volume of the scene as ``name``.nrrd, to be sent to the server; the path of the file.

    Raises:
        SceneError: if it cannot be written.
    """
    path = os.path.join(folder, name + ".nrrd")
    # A storage node of its own: the volume keeps pointing to the file from which the reader loaded it.
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(path)
    # Compressing takes seconds, in which nothing else could be done.
    storage.SetUseCompression(0)
    if not storage.WriteData(volume):
        raise SceneError(f"The volume cannot be written to {path}: make room there, then send it again.")
    return path


def patient_axes(volume: Any) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How a volume lies in the patient, whatever the order and direction in which it is stored.

    Returns:
        Directions (columns: to the patient's left, back and head, in RAS), the index axis (0 i, 1 j, 2 k) that runs
        along each of them, and for each the sign, -1 where the index falls towards left, back or head.
    """
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASDirectionMatrix(matrix)
    stored = np.array([[matrix.GetElement(row, column) for column in range(3)] for row in range(3)])
    to_lps = stored * np.array([[-1.0], [-1.0], [1.0]])
    order = np.zeros(3, dtype=int)
    left = np.abs(to_lps)
    for _ in range(3):
        # The clearest axis is given away first, so that an oblique volume gives each axis away once.
        axis, index = np.unravel_index(np.argmax(left), left.shape)
        order[axis] = index
        left[axis, :], left[:, index] = -1.0, -1.0
    signs = np.sign([to_lps[axis, order[axis]] for axis in range(3)])
    return stored[:, order] * signs, order, signs


def _file_of(volume: Any) -> str:
    storage = volume.GetStorageNode()
    return os.path.abspath(storage.GetFileName()) if storage is not None and storage.GetFileName() else ""

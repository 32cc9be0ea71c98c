"""Volumes: from a file into the scene and all slice views, and from the scene into a file for the server."""

import os
from typing import Any, Tuple

import numpy as np
import slicer
import slicer.util
import vtk

from ..translation import _
from .data_tree import CASE_ATTRIBUTE
from .hanging import LUNG, WINDOWS_HU
from .radiograph import grey_range, is_radiograph
from .views import clear_more_layers

SCANS = (".nrrd", ".nii", ".nii.gz", ".mha", ".mhd")
"""Endings of files that hold one channel; pictures may have colours, for which Slicer makes another node."""
GREY = "vtkMRMLColorTableNodeGrey"


class SceneError(Exception):
    """What could not be put into the scene or taken from it, in one sentence."""


def load_volume(path: str, case_id: str, before: Any = None) -> Any:
    """Show the volume of a case in all slice views, with a lung window; it takes the place of the case before.

    Args:
        path: its file.
        case_id: name of the case.
        before: volume of the case that was open, which goes. No other is touched: a volume that carries the mark of a
            case may have come with a scene of somebody else.

    Returns:
        Its vtkMRMLScalarVolumeNode; the same node as before where the file is already loaded.

    Raises:
        SceneError: if Slicer cannot read the file.
    """
    volume = bring_volume(path, case_id)
    put_in_place(volume, case_id, before)
    return volume


def bring_volume(path: str, case_id: str) -> Any:
    """The volume of a case, read where it is not in the scene yet; no view shows it by this.

    Returns:
        Its vtkMRMLScalarVolumeNode. One that was read now is not marked as the case's before it is put in place.

    Raises:
        SceneError: if Slicer cannot read the file.
    """
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        if node.GetAttribute(CASE_ATTRIBUTE) == case_id and _file_of(node) == os.path.abspath(path):
            return node
    try:
        return read_volume(path, case_id)
    except RuntimeError:
        raise SceneError(
            _("Slicer cannot read {path}: delete the file and open the case again.").format(path=path)
        ) from None


def put_in_place(volume: Any, case_id: str, before: Any) -> None:
    """Show a volume that was brought in the place of the one before, which goes."""
    volume.SetAttribute(CASE_ATTRIBUTE, case_id)
    if before is not volume:
        _remove(before)
    show_volume(volume)


def send_back(volume: Any) -> None:
    """Take a volume that was read and not put in place out of the scene again."""
    if volume.GetAttribute(CASE_ATTRIBUTE) is None:
        _remove(volume)


def read_volume(path: str, name: str) -> Any:
    """Read a volume file into the scene; no view shows it yet.

    For a scan Slicer's own ``loadVolume`` looks through all voxels for a window of grey values, which takes four times
    as long as reading them; here a scan has its display node, with a window of ours, before it has voxels.

    Args:
        path: its file.
        name: that its node gets.

    Returns:
        Its vtkMRMLScalarVolumeNode.

    Raises:
        RuntimeError: if Slicer cannot read it.
    """
    if not path.lower().endswith(SCANS):
        return slicer.util.loadVolume(path, {"name": name, "singleFile": True, "show": False})
    scene = slicer.mrmlScene
    volume, storage = slicer.vtkMRMLScalarVolumeNode(), slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(path)
    storage.SetSingleFile(True)
    # By the scene: it has the user's own settings of display nodes.
    display = scene.CreateNodeByClass("vtkMRMLScalarVolumeDisplayNode")
    display.UnRegister(None)
    display.AutoWindowLevelOff()
    display.SetWindowLevel(*WINDOWS_HU[LUNG])
    display.SetAndObserveColorNodeID(GREY)
    volume.SetName(scene.GetUniqueNameByString(name))
    if not storage.ReadData(volume):
        raise RuntimeError(f"{path} cannot be read as a volume")
    volume.SetAndObserveStorageNodeID(scene.AddNode(storage).GetID())
    volume.SetAndObserveDisplayNodeID(scene.AddNode(display).GetID())
    return scene.AddNode(volume)


def show_volume(volume: Any) -> None:
    """Show a volume in all slice views, a scan with a lung window, a radiograph with its own range of greys."""
    if volume.GetDisplayNode() is None:
        volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    display.AutoWindowLevelOff()
    if is_radiograph(volume):
        display.SetWindowLevelMinMax(*grey_range(volume))
    else:
        display.SetWindowLevel(*WINDOWS_HU[LUNG])
    display.SetAndObserveColorNodeID(GREY)
    # Nothing of another patient over it: what is not named here would stay.
    clear_more_layers()
    slicer.util.setSliceViewerLayers(background=volume, foreground=None, label=None, fit=True)


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
        raise SceneError(
            _("The volume cannot be written to {path}: make room there, then send it again.").format(path=path)
        )
    return path


def patient_axes(volume: Any) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How a volume lies in the patient, whatever the order and direction in which it is stored.

    Returns:
        Directions (columns: to the patient's left, back and head, in RAS), the index axis (0 i, 1 j, 2 k) that runs
        along each of them, and for each the sign, -1 where the index falls towards left, back or head.
    """
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASDirectionMatrix(matrix)
    stored = slicer.util.arrayFromVTKMatrix(matrix)[:3, :3]
    to_lps = stored * np.array([[-1.0], [-1.0], [1.0]])
    order = np.zeros(3, dtype=int)
    left = np.abs(to_lps)
    for _axis in range(3):
        # The clearest axis is given away first, so that an oblique volume gives each axis away once.
        axis, index = np.unravel_index(np.argmax(left), left.shape)
        order[axis] = index
        left[axis, :], left[:, index] = -1.0, -1.0
    signs = np.sign([to_lps[axis, order[axis]] for axis in range(3)])
    return stored[:, order] * signs, order, signs


def box_axes(volume: Any) -> np.ndarray:
    """[3, 3]: the RAS directions of the boxes' sides as columns, along the axes of a volume; of none: the patient's."""
    # Right-handed, as a node of Slicer must be: right, front and head for a volume that is not oblique.
    return np.eye(3) if volume is None else patient_axes(volume)[0] * [-1.0, -1.0, 1.0]


def _remove(volume: Any) -> None:
    if volume is not None and slicer.mrmlScene.IsNodePresent(volume):
        slicer.mrmlScene.RemoveNode(volume)


def _file_of(volume: Any) -> str:
    storage = volume.GetStorageNode()
    return os.path.abspath(storage.GetFileName()) if storage is not None and storage.GetFileName() else ""

"""The views of the layout: moving them to a point, and which of them a box crosses."""

from typing import Any, Dict, List, Sequence

import numpy as np
import slicer
import slicer.util
import vtk

from ..contract import lps_to_ras

NOWHERE = "vtkMRMLViewNodePneumoScreenNowhere"
"""No view has this id."""


def jump_to(center_mm: Sequence[float]) -> None:
    """Scroll all slice views to a point, LPS in mm, and move the focus of the 3-D views there.

    A view is moved sideways only where the point would lie outside of it: the eye keeps its place in the picture.
    """
    ras = lps_to_ras(center_mm)
    with slicer.util.RenderBlocker():
        for view in slice_nodes().values():
            (view.JumpSliceByOffsetting if _has_in_sight(view, ras) else view.JumpSliceByCentering)(*ras)
        for camera in slicer.util.getNodesByClass("vtkMRMLCameraNode"):
            # The camera keeps its distance and direction: it moves along with what it looks at.
            step = np.subtract(ras, camera.GetFocalPoint())
            camera.SetPosition(*(np.array(camera.GetPosition()) + step))
            camera.SetFocalPoint(*ras)


def _has_in_sight(view: Any, ras: Sequence[float]) -> bool:
    """Whether a point, projected onto the plane of a slice view, lies in its picture."""
    to_slice = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Invert(view.GetSliceToRAS(), to_slice)
    place, middle, field = to_slice.MultiplyPoint((*ras, 1.0)), view.GetXYZOrigin(), view.GetFieldOfView()
    return all(abs(place[axis] - middle[axis]) <= field[axis] / 2 for axis in range(2))


def slice_nodes() -> Dict[str, Any]:
    """The slice views of the scene by the id of their node."""
    return {node.GetID(): node for node in slicer.util.getNodesByClass("vtkMRMLSliceNode")}


def layer_nodes() -> List[Any]:
    """The nodes that say which volumes the slice views show."""
    return list(slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"))


def clear_more_layers() -> None:
    """Take out what Slicer 5.10 and later show between foreground and label, which ``setSliceViewerLayers`` keeps."""
    for layers in layer_nodes():
        count = layers.GetNumberOfAdditionalLayers() if hasattr(layers, "GetNumberOfAdditionalLayers") else 0
        for index in reversed(range(count)):
            layers.SetNthLayerVolumeID(layers.Layer_Last + index, None)


def slice_nodes_of(volume: Any) -> Dict[str, Any]:
    """The slice views whose picture is this volume, by the id of their node; all where none is named.

    Another patient's volume comes into the views without a word: what belongs to the case must not lie over it.
    """
    nodes = slice_nodes()
    if volume is None:
        return nodes
    shown = {layers.GetLayoutName() for layers in layer_nodes() if layers.GetBackgroundVolumeID() == volume.GetID()}
    return {node_id: node for node_id, node in nodes.items() if node.GetLayoutName() in shown}


def crosses(view: Any, centers: np.ndarray, sizes: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Which boxes the plane of a slice view cuts.

    Args:
        view: vtkMRMLSliceNode.
        centers: [n, 3], RAS in mm.
        sizes: [n, 3] in mm, along the axes.
        axes: [3, 3], columns are the RAS directions of the boxes' sides.

    Returns:
        bool [n].
    """
    matrix = view.GetSliceToRAS()
    normal = np.array([matrix.GetElement(row, 2) for row in range(3)])
    origin = np.array([matrix.GetElement(row, 3) for row in range(3)])
    reach = sizes @ np.abs(normal @ axes) / 2
    return np.abs((centers - origin) @ normal) <= reach

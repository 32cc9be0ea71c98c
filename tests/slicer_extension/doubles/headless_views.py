"""Slice and 3-D views of a Slicer scene without a window: Slicer's own displayable managers, drawn through EGL.

A mouse can be played on them: the events run through Slicer's own interactor style and widgets.
"""

import os

# Read when the first render window is made.
os.environ["VTK_DEFAULT_OPENGL_WINDOW"] = "vtkEGLRenderWindow"

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from tests.slicer_extension.doubles.slicer_double import SlicerDouble
from vtk.util.numpy_support import vtk_to_numpy

SLICE_MANAGERS = (
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
)
THREED_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLVolumeRenderingDisplayableManager",
)


class _View:
    """What a slice view and a 3-D view share: renderer, off-screen window, interactor."""

    style_class: Any

    def __init__(self, size: tuple[int, int]) -> None:
        self.renderer = vtk.vtkRenderer()
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.ShowWindowOff()
        self.window.SetMultiSamples(0)
        self.window.SetSize(*size)
        self.window.AddRenderer(self.renderer)
        # The generic interactor never looks for an X server; the displayable managers need one.
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetRenderWindow(self.window)
        self._interactor.EnableRenderOff()
        # The default style would take the mouse for itself; this one leaves it to Slicer's.
        self._interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self._interactor.Initialize()
        self._interactor.UpdateSize(*size)
        self.group = slicer.vtkMRMLDisplayableManagerGroup()
        self.group.SetRenderer(self.renderer)

    def _start(self, factory: Any, double: SlicerDouble, managers: Sequence[str]) -> None:
        factory.SetMRMLApplicationLogic(double.app_logic)
        for name in managers:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self.group.Initialize(factory, self.renderer)
        self._style = self.style_class()
        self._style.SetDisplayableManagers(self.group)
        self._style.SetInteractor(self._interactor)

    def interactor(self) -> Any:
        return self._interactor

    def renderWindow(self) -> Any:
        return self.window

    def cursor_to(self, x: int, y: int) -> None:
        """Move the mouse to display pixel (x, y), counted from the lower left."""
        self._interactor.SetEventInformation(x, y, 0, 0)
        self._interactor.MouseMoveEvent()

    def drag(self, start: Sequence[float], end: Sequence[float]) -> None:
        """Press the left button at one display pixel, move in steps, and let go at another."""
        self.cursor_to(*map(round, start))
        self._interactor.LeftButtonPressEvent()
        for share in np.linspace(0.25, 1.0, 4):
            x, y = (round(a + share * (b - a)) for a, b in zip(start, end, strict=True))
            self.cursor_to(x, y)
        self._interactor.LeftButtonReleaseEvent()

    def click(self, x: float, y: float) -> None:
        """Press and let go of the left button at one display pixel."""
        self.cursor_to(round(x), round(y))
        self._interactor.LeftButtonPressEvent()
        self._interactor.LeftButtonReleaseEvent()

    def render(self) -> None:
        self.window.Render()

    def pixels(self) -> NDArray[np.uint8]:
        """What the view shows: uint8 [row from the top, column, RGB]."""
        self.render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self.window)
        grab.ReadFrontBufferOff()
        grab.ShouldRerenderOff()
        grab.Update()
        image = grab.GetOutput()
        width, height, _ = image.GetDimensions()
        flat = vtk_to_numpy(image.GetPointData().GetScalars())
        return np.ascontiguousarray(flat.reshape(height, width, -1)[::-1, :, :3])

    def png(self, path: Path) -> Path:
        write_png(path, self.pixels())
        return path


class SliceView(_View):
    """A slice view; ``orientation`` is Axial, Coronal or Sagittal, ``size`` (width, height) in pixels."""

    style_class = slicer.vtkMRMLSliceViewInteractorStyle

    def __init__(
        self, double: SlicerDouble, name: str = "Red", orientation: str = "Axial", size: tuple[int, int] = (400, 400)
    ) -> None:
        super().__init__(size)
        self.renderer.GetActiveCamera().ParallelProjectionOn()
        # The picture's actor comes before those of the displayable managers: otherwise translucent
        # fillings are not blended with it.
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._actor = vtk.vtkActor2D()
        self._actor.SetMapper(self._mapper)
        self._actor.GetProperty().SetDisplayLocationToBackground()
        self._actor.VisibilityOff()
        self.renderer.AddViewProp(self._actor)
        self._start(slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance(), double, SLICE_MANAGERS)
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(double.app_logic)
        double.app_logic.GetSliceLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(double.scene)
        self.node = self.logic.AddSliceNode(name)
        self.node.SetOrientation(orientation)
        self.composite = self.logic.GetSliceCompositeNode()
        self.logic.ResizeSliceNode(*size)
        self.group.SetMRMLDisplayableNode(self.node)
        self._style.SetSliceLogic(self.logic)
        double.layout.add_slice_view(self)

    def render(self) -> None:
        has_picture = self.composite.GetBackgroundVolumeID() is not None
        if has_picture:
            self._mapper.SetInputConnection(self.logic.GetImageDataConnection())
        self._actor.SetVisibility(has_picture)
        super().render()

    def place_of(self, ras: Sequence[float]) -> tuple[float, float]:
        """Display pixel (x, y from the lower left) of a point in RAS mm."""
        to_view = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self.node.GetXYToRAS(), to_view)
        x, y, *_ = to_view.MultiplyPoint((*ras, 1.0))
        return x, y


class ThreeDView(_View):
    """A 3-D view, ``size`` (width, height) in pixels."""

    style_class = slicer.vtkMRMLThreeDViewInteractorStyle

    def __init__(self, double: SlicerDouble, name: str = "View1", size: tuple[int, int] = (400, 400)) -> None:
        super().__init__(size)
        self.renderer.SetUseDepthPeeling(True)
        self._start(slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance(), double, THREED_MANAGERS)
        self.logic = slicer.vtkMRMLViewLogic()
        self.logic.SetMRMLApplicationLogic(double.app_logic)
        double.app_logic.GetViewLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(double.scene)
        self.node = self.logic.AddViewNode(name)
        self.group.SetMRMLDisplayableNode(self.node)
        double.layout.add_threed_view(self)

    def fit(self, azimuth: float = 25.0, elevation: float = 15.0) -> None:
        """Look at everything in the scene, from the front and a little aside (degrees)."""
        manager = self.group.GetDisplayableManagerByClassName("vtkMRMLCameraDisplayableManager")
        manager.GetCameraNode().RotateTo(slicer.vtkMRMLCameraNode.Anterior)
        self.node.SetBoxVisible(False)
        self.node.SetAxisLabelsVisible(False)
        self.renderer.ResetCamera()
        camera = self.renderer.GetActiveCamera()
        camera.Azimuth(azimuth)
        camera.Elevation(elevation)
        camera.OrthogonalizeViewUp()
        self.renderer.ResetCameraClippingRange()


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write uint8 [row, column, RGB] as a PNG file."""
    from PIL import Image

    Image.fromarray(pixels).save(path, optimize=True)


def tile(pictures: Sequence[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    """Pictures of one size side by side, ``columns`` in a row."""
    rows = [np.hstack(pictures[i : i + columns]) for i in range(0, len(pictures), columns)]
    return np.vstack(rows)

"""A scene with views, and the small asymmetric chest as a file, stored as asked."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import SimpleITK as sitk
from tests.slicer_extension.headless_views import SliceView, ThreeDView
from tests.slicer_extension.scene.cases import chest
from tests.slicer_extension.slicer_double import SlicerDouble


@dataclass
class Background:
    """Collects the work that would run while Slicer is idle."""

    waiting: list[Callable[[], None]]

    def later(self, work: Callable[[], None]) -> None:
        self.waiting.append(work)

    def finish(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()


@dataclass
class Stage:
    """A scene with three slice views and a 3-D view."""

    double: SlicerDouble
    axial: SliceView
    coronal: SliceView
    sagittal: SliceView
    space: ThreeDView
    background: Background

    @property
    def slices(self) -> tuple[SliceView, SliceView, SliceView]:
        return self.axial, self.coronal, self.sagittal


@pytest.fixture
def stage() -> Iterator[Stage]:
    double = SlicerDouble()
    orientations = {"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}
    views = [SliceView(double, name, orientation, (320, 320)) for name, orientation in orientations.items()]
    yield Stage(double, *views, ThreeDView(double, size=(320, 320)), Background([]))
    double.close()


@pytest.fixture
def write_chest(tmp_path: Path) -> Callable[..., Path]:
    def write(stored: str, oblique_degrees: float = 0.0) -> Path:
        path = tmp_path / f"chest-{stored}.nrrd"
        sitk.WriteImage(sitk.DICOMOrient(chest(oblique_degrees), stored), str(path))
        return path

    return write

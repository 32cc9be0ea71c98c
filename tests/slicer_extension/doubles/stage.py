"""A scene with views, for the tests of what is drawn."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.slicer_extension.doubles.headless_views import SliceView, ThreeDView
from tests.slicer_extension.doubles.slicer_double import SlicerDouble


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


@contextmanager
def stage_with_views() -> Iterator[Stage]:
    """A stage whose views are gone afterwards."""
    double = SlicerDouble()
    orientations = {"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}
    views = [SliceView(double, name, orientation, (320, 320)) for name, orientation in orientations.items()]
    yield Stage(double, *views, ThreeDView(double, size=(320, 320)), Background([]))
    double.close()

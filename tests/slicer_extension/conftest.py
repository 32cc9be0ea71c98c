"""What all tests of the extension need."""

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# No test depends on the speed of the machine: by default an example that takes longer than .2 s fails.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def only_own_garbage() -> Iterator[None]:
    """Let the garbage collector walk what the test makes, not all that the session has loaded.

    A full collection of a session with torch and a server takes half a second on a busy machine; the panel, which
    some tests time, has no part in it.
    """
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def stage() -> Iterator[Any]:
    """A scene with three slice views and a 3-D view."""
    # Slicer's libraries take seconds to load; most tests need none of them.
    from tests.slicer_extension.doubles.stage import stage_with_views

    with stage_with_views() as made:
        yield made


@pytest.fixture
def write_chest(tmp_path: Path) -> Callable[..., Path]:
    """Writes the small asymmetric chest to a file, stored as asked."""
    import SimpleITK as sitk
    from tests.slicer_extension.chest import chest

    def write(stored: str, oblique_degrees: float = 0.0) -> Path:
        path = tmp_path / f"chest-{stored}.nrrd"
        sitk.WriteImage(sitk.DICOMOrient(chest(oblique_degrees), stored), str(path))
        return path

    return write

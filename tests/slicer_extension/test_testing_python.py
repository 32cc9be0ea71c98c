"""The module's own tests, which run in the application, on the doubles, as "Reload and Test" starts them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.slicer_extension.doubles import pythonqt_adapter, scripted_module
from tests.slicer_extension.doubles.headless_views import SliceView, ThreeDView
from tests.slicer_extension.doubles.slicer_double import SlicerDouble

FOLDER = scripted_module.MODULE / "Testing/Python"


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlicerDouble]:
    pythonqt_adapter.install()
    scripted_module.install()
    double = SlicerDouble()
    double.views = [SliceView(double, "Red", "Axial"), ThreeDView(double)]
    monkeypatch.syspath_prepend(str(scripted_module.MODULE))
    monkeypatch.setattr("shutil.which", lambda name: sys.executable if name == "PythonSlicer" else None)
    yield double
    double.close()


def test_reload_and_test_passes_and_touches_no_setting_of_the_user(application: SlicerDouble) -> None:
    import slicer

    import PneumoScreen

    settings = slicer.app.userSettings()
    settings.setValue("PneumoScreen/address", "http://hospital:8000")
    PneumoScreen.PneumoScreenTest("runTest").runTest()
    settings.sync()
    assert settings.value("PneumoScreen/address") == "http://hospital:8000"


def test_every_test_of_the_folder_is_named_for_ctest() -> None:
    listed = (FOLDER / "CMakeLists.txt").read_text(encoding="utf-8")
    found = sorted(path.name for path in FOLDER.glob("*.py"))
    assert found == ["PneumoScreenPanelTest.py", "PneumoScreenSceneTest.py"]
    assert all(f"SCRIPT {name})" in listed for name in found)


def test_the_tests_are_where_the_module_looks_for_them(application: SlicerDouble) -> None:
    import PneumoScreen

    assert Path(PneumoScreen.__file__).parent / "Testing/Python" == FOLDER

"""OHIF in a browser shows our Segmentation over the CT and lists the report's findings."""

import hashlib
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion
from scripts import demo_pacs, ohif
from scripts.ohif import ViewerError, viewer_folder
from scripts.orthanc import Orthanc, missing
from scripts.phantom_files import write_xray
from scripts.viewer import Viewer

from pneumoscreen.images.radiograph import Radiograph
from pneumoscreen.pacs.about import About
from pneumoscreen.pacs.client import Access, Pacs
from pneumoscreen.pacs.results import results_of
from pneumoscreen.pacs.segmentation import region_mask
from pneumoscreen.pacs.source import source_of

from .chromium import PROGRAM, Chromium
from .conftest import DRAWING, film_case, only_input
from .reading_room import MEASUREMENTS, SEGMENTS, ReadingRoom


def why_not() -> str:
    """What the tests in the browser lack; empty where they can run."""
    lacking = [*missing(), *(["chromium"] if PROGRAM is None else [])]
    if lacking:
        return f"Debian packages are not installed: {' '.join(lacking)}"
    try:
        viewer_folder(may_fetch=False)
    except ViewerError as error:
        return str(error)
    return ""


in_browser = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    made = Orthanc(tmp_path_factory.mktemp("orthanc"))
    made.start()
    yield made
    made.kill()


@pytest.fixture(scope="module")
def viewer(orthanc: Orthanc) -> Iterator[Viewer]:
    started = Viewer(viewer_folder(may_fetch=False), orthanc.url).start()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def ct(orthanc: Orthanc, about_of: Callable[..., About], tmp_path_factory: pytest.TempPathFactory) -> About:
    """A CT in Orthanc with all objects about it."""
    folder = tmp_path_factory.mktemp("ct")
    about = about_of(folder)
    store(orthanc, about, folder)
    return about


@pytest.fixture(scope="module")
def film(orthanc: Orthanc, tmp_path_factory: pytest.TempPathFactory) -> About:
    """An X-ray, likewise."""
    folder = tmp_path_factory.mktemp("film")
    pixels = np.linspace(0, 1, 160 * 200, dtype=np.float32).reshape(160, 200)
    write_xray(Radiograph(pixels, (0.2, 0.3), (0, 0, 200, 160), "film", Path("film"), "c" * 64), folder / "1.dcm")
    about = About(film_case(), source_of(only_input(folder)), DRAWING)
    store(orthanc, about, folder)
    return about


def store(orthanc: Orthanc, about: About, folder: Path) -> None:
    orthanc.send(folder)
    for made in results_of(about).values():
        Pacs(Access(orthanc.dicomweb)).store(made)


@pytest.fixture(scope="module")
def room() -> Iterator[ReadingRoom]:
    with Chromium() as browser:
        yield ReadingRoom(browser)


def series_of(about: About, kind: str) -> str:
    return str(results_of(about)[kind].SeriesInstanceUID)


@in_browser
def test_segments_are_named_and_coloured_over_the_ct_and_findings_are_listed(
    ct: About, viewer: Viewer, room: ReadingRoom
) -> None:
    seg = results_of(ct)["seg"]
    room.open(viewer.link(ct.source.study_uid, series_of(ct, "seg")))
    room.panel(SEGMENTS)
    labels = [str(item.SegmentLabel) for item in seg.SegmentSequence]
    assert room.rows(len(labels)) == labels
    volume, infection = ct.masks.volume, ct.masks.infection
    region = max(ct.case.regions, key=lambda each: region_mask(ct.masks, each).sum())
    mask = region_mask(ct.masks, region)
    # OHIF goes to the middle of the segment that is chosen; from there the voxels are looked at.
    (row,) = (label for label in labels if label.startswith(f"{region.id}:"))
    z = [image.SOPInstanceUID for image in ct.source.images].index(room.slice_after(lambda: room.choose(row)))
    assert mask[z].any()

    def places(shown: NDArray[np.bool_]) -> NDArray[np.float64]:
        """In mm the pixels of a mask of the slice whose neighbours are in it as well: no edge runs through them."""
        found = np.argwhere(binary_erosion(shown))
        assert len(found) >= 5
        return volume.index_to_mm(np.column_stack([np.full(len(found), z), found]))

    # The infections' orange and the lungs' blue, laid over grey.
    orange, blue, grey = (
        lambda rgb: (rgb[:, 0] > rgb[:, 2] + 20) & (rgb[:, 0] > rgb[:, 1]),
        lambda rgb: rgb[:, 2] > rgb[:, 0] + 10,
        lambda rgb: np.ptp(rgb, axis=1) <= 3,
    )
    room.wait_for_colour(places(infection[z] & mask[z]), orange)
    room.wait_for_colour(places((ct.masks.lungs[z] > 0) & ~infection[z]), blue)
    room.wait_for_colour(places(ct.masks.lungs[z] == 0), grey)

    room.panel(MEASUREMENTS)
    room.load("SR")
    listed = room.rows(3 + len(ct.case.regions))
    assert listed[0] == "COVID-19 (research use only)"
    assert [text.split(":")[0] for text in listed[1:]] == ["Left lung", "Right lung", *(r.id for r in ct.case.regions)]
    (finding,) = (text for text in listed if text.startswith(f"{region.id}: COVID-19"))
    drawn = room.measurements()[finding]
    at = [image.SOPInstanceUID for image in ct.source.images].index(drawn["instance"])
    assert mask[at].sum() == mask.sum(axis=(1, 2)).max()
    rows, columns = np.nonzero(mask[at])
    corners = volume.mm_to_index(np.array(drawn["points"]))
    assert np.allclose(corners.min(axis=0), [at, rows.min() - 0.5, columns.min() - 0.5], atol=0.05)
    assert np.allclose(corners.max(axis=0), [at, rows.max() + 0.5, columns.max() + 0.5], atol=0.05)


@in_browser
def test_the_lungs_of_an_xray_are_listed_and_outlined(film: About, viewer: Viewer, room: ReadingRoom) -> None:
    room.open(viewer.link(film.source.study_uid, series_of(film, "sr")))
    room.panel(MEASUREMENTS)
    assert sorted(room.rows(3)) == [
        "Left lung: opacity 90 %", "Opacity found, type undecided (research use only)", "Right lung: opacity 20 %",
    ]  # fmt: skip
    assert room.measurements()["Left lung: opacity 90 %"]["instance"] == film.source.first.SOPInstanceUID


def test_a_package_is_unpacked_once_and_no_other_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "package" / "dist").mkdir(parents=True)
    (tmp_path / "package" / "dist" / "index.html").write_text("<title>viewer</title>")
    file = tmp_path / "viewer.tgz"
    with tarfile.open(file, "w:gz") as package:
        package.add(tmp_path / "package", "package")
    with pytest.raises(ViewerError, match="is not @ohif/app"):
        viewer_folder(file, tmp_path / "build")
    assert not (tmp_path / "build").exists()
    monkeypatch.setattr(ohif, "SHA256", hashlib.sha256(file.read_bytes()).hexdigest())
    folder = viewer_folder(file, tmp_path / "build")
    assert (folder / "index.html").read_text(encoding="utf-8") == "<title>viewer</title>"
    assert [path.name for path in (tmp_path / "build").iterdir()] == [folder.name]
    file.unlink()
    assert viewer_folder(None, tmp_path / "build") == folder
    assert viewer_folder(tmp_path, tmp_path / "other") == tmp_path / "package" / "dist"


@pytest.mark.parametrize(
    ("given", "said"), [("empty", "holds no built viewer"), ("absent.tgz", "is not there; name a folder or file")]
)
def test_what_holds_no_viewer_is_named(given: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ViewerError, match=said):
        viewer_folder(tmp_path / given, tmp_path / "build")


def test_without_npm_the_demonstration_says_how_to_get_the_viewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(ohif, "BUILD", tmp_path / "build")
    assert demo_pacs._viewer(None, Orthanc(tmp_path)) is None
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "without the viewer OHIF: npm is not installed" in said and "OHIF=PATH" in said


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_without_a_network_it_says_how_to_get_the_viewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:1")
    with pytest.raises(
        ViewerError, match=r"npm could not fetch @ohif/app .*; name a folder or file that has it: OHIF="
    ):
        viewer_folder(None, tmp_path / "build")


def test_the_viewer_has_one_address_for_its_files_and_dicomweb(tmp_path: Path) -> None:
    (tmp_path / "dist").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "dist" / "index.html").write_text("<title>viewer</title>")
    (tmp_path / "dist" / "app.js").write_text("run()")
    viewer = Viewer(tmp_path / "dist", "http://127.0.0.1:1").start()
    try:
        page = requests.get(viewer.link("1.2.3"), timeout=10)
        assert page.text == "<title>viewer</title>" and page.headers["Content-Type"] == "text/html"
        assert page.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert requests.get(f"{viewer.url}/app.js", timeout=10).text == "run()"
        assert '"wadoRoot": "/dicom-web"' in requests.get(f"{viewer.url}/app-config.js", timeout=10).text
        assert requests.get(f"{viewer.url}/%2e%2e/secret", timeout=10).text == "<title>viewer</title>"
        assert requests.get(f"{viewer.url}/dicom-web/studies", timeout=10).status_code == 502
        assert requests.post(f"{viewer.url}/dicom-web/studies", timeout=10).status_code == 501
    finally:
        viewer.stop()

"""Pictures that lie on their side, stand upside down, hold several views or show the chest from the side."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.images.radiographs import make_radiograph, write_dataset

from pneumoscreen.ct.phantoms.views import chest_views, lateral_less_frontal
from pneumoscreen.cxr.phantoms.radiograph import RadiographSpec, generate_radiograph
from pneumoscreen.images import read_radiograph_file
from pneumoscreen.images.faults import NotRadiographError
from pneumoscreen.images.radiograph_likeness import likeness, standard_thumbnail, thumbnail_likeness
from pneumoscreen.images.radiograph_view import LATERAL_LESS_FRONTAL

SEEDS = range(7, 13)


@pytest.fixture(scope="module")
def chests() -> list[NDArray[np.float32]]:
    spec = RadiographSpec(size=256)
    return [generate_radiograph(seed, spec=spec).radiograph.pixels for seed in SEEDS]


def written(path: Path, pixels: NDArray[np.float32]) -> Path:
    Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(path)
    return path


def view_notes(path: Path) -> list[str]:
    return [note for note in read_radiograph_file(path).notes if "check" in note]


def word_on_view(path: Path) -> str:
    """The sentence of the refusal, or the note."""
    try:
        return " ".join(view_notes(path))
    except NotRadiographError as error:
        return str(error)


def test_an_upright_frontal_chest_has_no_word_on_its_view(tmp_path: Path, chests: list[NDArray[np.float32]]) -> None:
    for number, pixels in enumerate(chests):
        assert view_notes(written(tmp_path / f"{number}.png", pixels)) == []
    assert view_notes(write_dataset(tmp_path / "x.dcm")) == []


@pytest.mark.parametrize(("quarters", "how"), [(1, "on its side"), (2, "upside down"), (3, "on its side")])
def test_a_turned_chest_never_passes_without_a_word(
    tmp_path: Path, chests: list[NDArray[np.float32]], quarters: int, how: str
) -> None:
    refused = 0
    for number, pixels in enumerate(chests):
        said = word_on_view(written(tmp_path / f"{number}.png", np.rot90(pixels, quarters)))
        # The oldest check knows the clearest ones: they are bright where a chest is dark.
        assert how in said or "upside down" in said
        refused += "give it upright" in said
    assert refused >= 5
    turned = write_dataset(tmp_path / "x.dcm", np.rot90(make_radiograph(), quarters), PixelSpacing=[0.2, 0.2])
    assert how in word_on_view(turned)


def test_two_views_beside_each_other_are_refused(tmp_path: Path, chests: list[NDArray[np.float32]]) -> None:
    left, right = (np.asarray(Image.fromarray(pixels).resize((200, 256))) for pixels in chests[:2])
    for name, picture in {
        "wide": np.concatenate([chests[0], chests[0]], axis=1),
        "narrow": np.concatenate([left, right], axis=1),
        "below": np.concatenate([chests[0], chests[0]]),
    }.items():
        with pytest.raises(NotRadiographError, match="several views"):
            read_radiograph_file(written(tmp_path / f"{name}.png", picture))


@pytest.mark.parametrize("quarters", range(4))
def test_a_turned_picture_has_the_turned_thumbnail(chests: list[NDArray[np.float32]], quarters: int) -> None:
    for pixels in chests:
        of_turned = likeness(np.rot90(pixels, quarters))
        turned = thumbnail_likeness(np.rot90(standard_thumbnail(pixels), quarters))
        assert turned == pytest.approx(of_turned, abs=0.01)


def test_the_shape_is_that_of_the_patient(tmp_path: Path) -> None:
    # 200 x 160 pixels: 100 x 40 mm with pixels half as high as wide, 50 x 40 mm with square ones.
    with pytest.raises(NotRadiographError, match=r"2\.50 times as wide as high"):
        read_radiograph_file(write_dataset(tmp_path / "flat.dcm", PixelSpacing=[0.25, 0.5]))
    with pytest.raises(NotRadiographError, match=r"2\.50 times as wide as high"):
        read_radiograph_file(write_dataset(tmp_path / "ratio.dcm", PixelSpacing=None, PixelAspectRatio=[1, 2]))
    read_radiograph_file(write_dataset(tmp_path / "square.dcm", PixelSpacing=[0.25, 0.25]))


def test_a_lateral_view_never_passes_without_a_word(tmp_path: Path) -> None:
    for seed in range(600_000, 600_004):  # not those of the table
        lateral = chest_views(seed).lateral
        for facing in (lateral, lateral[:, ::-1]):
            word = word_on_view(written(tmp_path / "x.png", facing.repeat(4, axis=0).repeat(4, axis=1)))
            assert "lateral" in word or "no frontal chest" in word or "upside down" in word


def test_the_table_is_what_phantoms_give() -> None:
    found = lateral_less_frontal(range(500_000, 500_003))
    assert np.corrcoef(found.ravel(), LATERAL_LESS_FRONTAL.ravel())[0, 1] > 0.8


def test_a_real_lateral_view_is_noted_and_real_frontal_ones_are_not(shared_data: Path) -> None:
    path = shared_data / "cxr/not_frontal/lateral.jpeg"
    if not path.exists():
        pytest.skip("no lateral radiograph")
    assert "lateral" in view_notes(path)[0]
    for frontal in sorted((shared_data / "cxr/rsna_dicom").glob("*.dcm")):
        assert view_notes(frontal) == []


def test_real_pictures_of_ct_slices_never_pass_without_a_word(shared_data: Path) -> None:
    slices = sorted((shared_data / "ct/covid_semiseg_slices").rglob("Imgs/*.jpg"))[:12]
    if not slices:
        pytest.skip("no pictures of CT slices")
    for path in slices:
        assert word_on_view(path)

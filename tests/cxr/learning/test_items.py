"""What a labelled radiograph gives each training, and its way to the disk and back."""

from pathlib import Path

import numpy as np
import pytest
from tests.cxr.learning.radiographs import BOXES, labelled
from tests.cxr.radiographs import TINY_BOXES, TINY_CLASSES, TINY_SIDES

from pneumoscreen.case import CXR_CLASSES
from pneumoscreen.cxr.discrimination import channels_of, grey_of
from pneumoscreen.cxr.learning.data import as_bytes
from pneumoscreen.cxr.learning.items import (
    Items,
    discrimination_items,
    gather,
    localization_items,
    lung_box_items,
    read_items,
    write_items,
)
from pneumoscreen.cxr.localization import lung_of
from pneumoscreen.cxr.lung_boxes import picture_of, to_pixels
from pneumoscreen.errors import PneumoScreenError


def test_the_whole_picture_and_its_boxes() -> None:
    given = labelled()
    items = lung_box_items(given, TINY_BOXES)
    assert items.pictures.shape == (1, 1, 32, 32)
    assert items.targets.shape == (1, 2, 4)
    np.testing.assert_array_equal(items.pictures[0, 0], as_bytes(picture_of(given.radiograph, TINY_BOXES)))
    for row, side in zip(items.targets[0], ("left", "right"), strict=True):
        np.testing.assert_allclose(to_pixels(row.astype(float), given.radiograph), BOXES[side], atol=0.06)


@pytest.mark.parametrize("label", CXR_CLASSES)
def test_what_the_discriminator_looks_at_and_its_class(label: str) -> None:
    given = labelled(label)
    items = discrimination_items(given, TINY_CLASSES)
    assert items.targets.tolist() == [CXR_CLASSES.index(label)]
    grey = grey_of(given.radiograph, BOXES, TINY_CLASSES)
    np.testing.assert_array_equal(items.pictures, as_bytes(channels_of(grey, TINY_CLASSES))[None])
    assert items.pictures.shape == (1, 2, 32, 32)


def test_both_lungs_and_which_is_infected() -> None:
    given = labelled(sides={"left": True, "right": False})
    items = localization_items(given, TINY_SIDES)
    assert items.pictures.shape == (2, 1, 128, 64)
    assert items.targets.tolist() == [1.0, 0.0]
    for picture, side in zip(items.pictures, ("left", "right"), strict=True):
        np.testing.assert_array_equal(picture[0], as_bytes(lung_of(given.radiograph, BOXES[side], side, TINY_SIDES)))


def test_no_sides_no_lungs() -> None:
    items = localization_items(labelled("healthy"), TINY_SIDES)
    assert (len(items.pictures), len(items.targets)) == (0, 0)


def test_a_set_of_many_keeps_patients_beside_their_pictures() -> None:
    given = [
        ("p1", localization_items(labelled(sides={"left": True, "right": False}), TINY_SIDES)),
        ("p2", localization_items(labelled("cap"), TINY_SIDES)),
        ("p3", localization_items(labelled(sides={"left": False, "right": True}, seed=3), TINY_SIDES)),
    ]
    found = gather(given)
    assert found.patients == ("p1", "p1", "p3", "p3")
    assert found.targets.tolist() == [1.0, 0.0, 0.0, 1.0]
    np.testing.assert_array_equal(found.pictures[2:], given[2][1].pictures)
    with pytest.raises(ValueError, match="concatenate"):
        gather(given[1:2])


@pytest.mark.parametrize("label", ["covid19", "healthy"])
def test_items_come_back_from_the_disk(tmp_path: Path, label: str) -> None:
    sides = {"left": True, "right": True} if label == "covid19" else {}
    items = localization_items(labelled(label, sides), TINY_SIDES)
    file = tmp_path / "pictures" / "case.npz"
    write_items(file, items)
    back = read_items(file)
    np.testing.assert_array_equal(back.pictures, items.pictures)
    np.testing.assert_array_equal(back.targets, items.targets)
    assert (back.pictures.dtype, back.targets.dtype) == (np.uint8, np.float32)


def test_damaged_items_are_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "case.npz"
    write_items(file, Items(np.ones((3, 1, 32, 32), np.uint8), np.ones(3, np.float32)))
    whole = file.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"PK\x03\x04", b"nonsense", whole[:-30]):
        file.write_bytes(content)
        with pytest.raises(PneumoScreenError, match=r"case\.npz is damaged; remove it and start again"):
            read_items(file)
    np.savez(file, other=np.zeros(3))
    with pytest.raises(PneumoScreenError, match="damaged"):
        read_items(file)
    with pytest.raises(PneumoScreenError, match="damaged"):
        read_items(tmp_path / "absent.npz")


def test_flipped_bytes_are_noticed_or_harmless(tmp_path: Path) -> None:
    file = tmp_path / "case.npz"
    items = Items(np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8), np.ones(1, np.float32))
    write_items(file, items)
    whole = bytearray(file.read_bytes())
    for place in range(len(whole)):
        broken = bytearray(whole)
        broken[place] ^= 0xFF
        file.write_bytes(broken)
        try:
            found = read_items(file)
        except PneumoScreenError:
            continue
        np.testing.assert_array_equal(found.pictures, items.pictures)

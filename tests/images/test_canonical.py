"""Turning an image to the canonical orientation, against ITK."""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk

from pneumoscreen.images.canonical import orient, orientation_of
from pneumoscreen.images.raw import RawImage
from pneumoscreen.images.volume import CANONICAL_ORIENTATION

SPACING, ORIGIN = (0.7, 0.8, 2.5), (-10.0, 20.0, 33.0)
WAYS = list(itertools.product(itertools.permutations(range(3)), itertools.product((1.0, -1.0), repeat=3)))


def turned(order: tuple[int, ...], signs: tuple[float, ...], shape: tuple[int, ...], oblique: bool = False) -> RawImage:
    direction = np.zeros((3, 3))
    direction[order, range(3)] = signs
    if oblique:
        direction = np.reshape(sitk.Euler3DTransform((0, 0, 0), 0.1, -0.15, 0.07).GetMatrix(), (3, 3)) @ direction
    values = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    return RawImage(values=values, spacing_mm=SPACING, origin_mm=ORIGIN, direction=direction, sha256="unread")


@pytest.mark.parametrize("oblique", [False, True])
@pytest.mark.parametrize(("order", "signs"), WAYS)
def test_every_orientation_is_turned_as_itk_does(
    order: tuple[int, ...], signs: tuple[float, ...], oblique: bool
) -> None:
    raw = turned(order, signs, (4, 5, 6), oblique)
    image = sitk.GetImageFromArray(raw.values)
    image.SetSpacing(SPACING)
    image.SetOrigin(ORIGIN)
    image.SetDirection(raw.direction.ravel().tolist())
    expected = sitk.DICOMOrient(image, CANONICAL_ORIENTATION)
    values, spacing, origin, direction = orient(raw, orientation_of(raw, "x"))
    np.testing.assert_array_equal(values, sitk.GetArrayFromImage(expected))
    assert spacing == expected.GetSpacing()
    np.testing.assert_allclose(origin, expected.GetOrigin(), atol=1e-9)
    np.testing.assert_allclose(direction.ravel(), expected.GetDirection(), atol=1e-12)
    assert values.flags.c_contiguous

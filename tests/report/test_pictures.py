"""Frames, grey levels and projections."""

import base64
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pneumoscreen.report.pictures import Frame, lung_frames, project, slice_picture, to_grey


def pixels(uri: str) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(base64.b64decode(uri.split(",")[1])))).astype(float)


def test_the_window_ends_are_black_and_white():
    grey = to_grey(np.array([-2000, -1350, -600, 150, 3000]), (-1350.0, 150.0))
    assert grey.tolist() == [0, 0, 127, 255, 255]


@given(st.integers(0, 40), st.integers(1, 40), st.booleans(), st.floats(0.5, 8.0))
def test_the_corners_of_a_frame_are_the_corners_of_its_picture(first, count, flipped, spacing):
    frame = Frame((first, first + count), (3, 13), spacing, 0.8, flipped)
    top, bottom = frame.point(first - 0.5, 2.5), frame.point(first + count - 0.5, 12.5)
    assert top == pytest.approx((0.0, frame.height_mm if flipped else 0.0))
    assert bottom == pytest.approx((8.0, 0.0 if flipped else frame.height_mm))


def test_frames_hold_both_lungs(volume, screening):
    labels = screening.lungs.labels
    axial, coronal = lung_frames(volume, labels)
    assert np.count_nonzero(axial.crop(labels.any(axis=0))) == np.count_nonzero(labels.any(axis=0))
    assert np.count_nonzero(coronal.crop(labels.any(axis=1))) == np.count_nonzero(labels.any(axis=1))


def test_frames_of_a_scan_without_lungs_are_the_scan(volume, screening):
    axial, coronal = lung_frames(volume, np.zeros_like(screening.lungs.labels))
    assert (axial.rows, axial.columns, coronal.rows) == ((0, 160), (0, 160), (0, 32))


def test_projections_keep_head_up_and_the_patients_left_on_the_right(volume):
    hu = np.full(volume.hu.shape, -1000, np.int16)
    hu[24:, :, 120:] = 300  # the head end of the patient's left
    labels = np.zeros(hu.shape, np.uint8)
    marked = replace(volume, hu=hu)
    axial, coronal = lung_frames(marked, labels)
    pictures = project(marked, labels, np.zeros(hu.shape, bool), axial, coronal, 200)
    front = pixels(pictures.coronal).mean(axis=2)
    height, width = front.shape
    assert front[: height // 8, -width // 8 :].mean() > 50
    assert front[height // 2 :].mean() < 5
    assert front[:, : width // 2].mean() < 5
    assert width / height == pytest.approx(coronal.width_mm / coronal.height_mm, rel=0.02)


def test_infection_is_tinted_where_it_lies(volume, screening):
    labels = screening.lungs.labels
    axial, coronal = lung_frames(volume, labels)
    plain = project(volume, labels, np.zeros(labels.shape, bool), axial, coronal, 200)
    tinted = project(volume, labels, screening.infection, axial, coronal, 200)
    yellow = pixels(tinted.coronal)[..., 0] - pixels(tinted.coronal)[..., 2]
    assert np.abs(pixels(plain.coronal)[..., 0] - pixels(plain.coronal)[..., 2]).max() < 10
    z, _, x = np.argwhere(screening.infection).mean(axis=0)
    column, row = coronal.point(z, x)
    scale = yellow.shape[1] / coronal.width_mm
    near = yellow[max(int(row * scale) - 40, 0) : int(row * scale) + 40]
    assert yellow.max() > 40
    assert near.sum() > 0
    assert column > 0


def test_a_slice_is_seen_from_the_feet(volume):
    hu = np.full(volume.hu.shape, -1350, np.int16)
    hu[5, :80, 80:] = 150  # front, patient's left
    picture = pixels(slice_picture(replace(volume, hu=hu), 5, Frame((0, 160), (0, 160), 1.0, 1.0), 160))
    assert picture[:70, 90:].mean() > 245
    assert picture[90:].mean() < 5
    assert picture[:, :70].mean() < 5

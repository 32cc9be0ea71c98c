from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from tests.slicer_extension.chest import region

from PneumoScreenLib.contract import Classes, ReaderMark
from PneumoScreenLib.palette import hue_of
from PneumoScreenLib.scene.colours import colour_of, label_text

LABELS = ("covid19", "influenza_a", "irrelevant", None)
# Machado, Oliveira and Fernandes 2009, full severity, on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def linear(colour):
    colour = np.asarray(colour)
    return np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ np.clip(rgb, 0, 1) / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHT)
def test_types_are_told_apart_with_every_sight(sight):
    seen = [lab(np.array(SIGHT[sight]) @ linear(colour_of(label))) for label in LABELS]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 20


@pytest.mark.parametrize("label", LABELS)
def test_boxes_are_seen_on_aerated_lung(label):
    luminance = np.array([0.2126, 0.7152, 0.0722]) @ linear(colour_of(label))
    lung = linear((-850 - -1250) / 1500)
    assert (luminance + 0.05) / (lung + 0.05) > 2.5


def test_every_type_has_a_colour_of_its_own_also_where_a_site_has_more():
    classes = Classes(infections=("a", "b", "c", "d"))
    for part in ("view", "on_light", "on_dark"):
        labels = (*classes.infections, classes.irrelevant, None, classes.none_found)
        assert len({getattr(hue_of(label, classes), part) for label in labels}) == len(labels)


def test_a_label_says_whose_word_it_is():
    assert label_text(region()) == "COVID-19 90 %"
    assert label_text(region(label=None)) == "Unlabelled"
    marked = replace(region(), reader=ReaderMark("influenza_a", "ann", "2026-11-22T10:00:00Z"))
    assert label_text(marked) == "Influenza-A (reader)"

"""Where the peak of a heat map lies, beside what a reader drew."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pneumoscreen.cxr.figures.film_places import peak_lies_in, peaks_in_phantoms, read_opacity
from pneumoscreen.cxr.phantoms.radiograph import generate_radiograph
from pneumoscreen.cxr.screening import CxrScreener
from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.models.store import ModelStore


def test_the_peak_lies_in_what_was_drawn_or_not() -> None:
    heat = np.zeros((4, 6), dtype=np.float32)
    heat[1, 5] = 1.0
    drawn = np.zeros((4, 6), dtype=bool)
    assert peak_lies_in(heat, drawn) is None
    drawn[3, 0] = True
    assert peak_lies_in(heat, drawn) is False
    drawn[1, 5] = True
    assert peak_lies_in(heat, drawn) is True


@pytest.mark.parametrize("mode", ["1", "L", "RGB"])
def test_every_pixel_that_is_not_black_was_drawn(tmp_path: Path, mode: str) -> None:
    grey = np.zeros((4, 6), dtype=np.uint8)
    grey[2, 1], grey[0, 5] = 255, 3
    picture = Image.fromarray(grey > 0) if mode == "1" else Image.fromarray(grey).convert(mode)
    picture.save(tmp_path / "drawn.png")
    drawn = read_opacity(tmp_path / "drawn.png", (4, 6))
    assert sorted(zip(*map(list, np.nonzero(drawn)), strict=True)) == [(0, 5), (2, 1)]


def test_a_drawing_of_another_size_is_named(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 6), dtype=np.uint8)).save(tmp_path / "drawn.png")
    with pytest.raises(PneumoScreenError, match=r"drawn\.png has 6 x 4 pixels and its X-ray 4 x 6"):
        read_opacity(tmp_path / "drawn.png", (6, 4))
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(PneumoScreenError, match=r"text\.png is no picture"):
        read_opacity(tmp_path / "text.png", (6, 4))


def test_phantoms_with_one_affected_lung_count() -> None:
    seeds = range(910_001, 910_005)
    one_lung = [seed for seed in seeds if sum(generate_radiograph(seed).sides.values()) == 1]
    assert len(peaks_in_phantoms(seeds, CxrScreener.from_store(ModelStore()))) == len(one_lung) > 0

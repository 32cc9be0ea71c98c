"""From rays to a picture: scatter, noise, film curve, framing, letters, wires. Nothing here knows the diagnosis.

Ours. Every nuisance is drawn from the seed alone, so that its distribution is the same in each class and no network
can learn the class from it.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .projection import Shadows
from .upright import Array, UprightChest

WATER_PER_MM = 0.019
"""Attenuation of water at the mean energy of a chest X-ray, 1/mm."""

# Five columns by seven rows, a row a number in binary.
GLYPHS = {"L": (16, 16, 16, 16, 16, 16, 31), "R": (30, 17, 17, 30, 20, 18, 17), "P": (30, 17, 17, 30, 16, 16, 16),
          "A": (14, 17, 17, 31, 17, 17, 17), "M": (17, 27, 21, 21, 17, 17, 17)}  # fmt: skip


@dataclass(frozen=True)
class Exposure:
    """How a picture was taken and printed; every part is drawn without the label.

    Attributes:
        scatter: scattered radiation as a share of the mean of what passes.
        dark, bright: grey values of the lung's darkest part and of the densest parts.
        gamma: of the print.
        shoulder: 0 for a straight print, larger the more alike dense parts look.
        toe: 0 for a straight film curve, 1 for a strong S.
        detail: 0 for the plain picture, 1 for strong local contrast.
        contrast: factor on the distance from the middle grey.
        noise: standard deviation of the grey value where the body is thin.
        sharp_mm: blur.
        border: (left, top, right, bottom), share of the picture behind collimator or frame.
        border_grey: what the border shows.
        letters: burnt-in letters, "" for none.
        letter_at: their place as shares of the content, their height as a share of the picture, and grey.
        devices: number of electrodes, 0 on most pictures; lines and tubes come with them.
    """

    scatter: float
    dark: float
    bright: float
    gamma: float
    toe: float
    shoulder: float
    detail: float
    contrast: float
    noise: float
    sharp_mm: float
    border: tuple[float, float, float, float]
    border_grey: float
    letters: str
    letter_at: tuple[float, float, float, float]
    devices: int

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Exposure":
        """Draw an exposure."""
        framed = rng.random() < 0.35
        border = np.where(rng.random(4) < 0.6, rng.uniform(0.01, 0.085, 4), 0.0) * framed
        side = str(rng.choice(["L", "R"]))
        letters = str(rng.choice(["", side, side + str(rng.choice(["", "P", "A", "M"]))], p=[0.35, 0.35, 0.3]))
        across = rng.uniform(0.05, 0.14)
        return cls(
            scatter=rng.uniform(0.15, 0.9),
            dark=rng.uniform(0.14, 0.44),
            bright=rng.uniform(0.78, 0.98),
            gamma=rng.uniform(0.9, 1.45),
            toe=rng.uniform(0.0, 0.45),
            shoulder=rng.uniform(0.5, 2.0),
            detail=rng.uniform(0.0, 0.8) ** 2,
            contrast=rng.uniform(0.8, 1.08),
            noise=rng.uniform(0.001, 0.009),
            sharp_mm=rng.uniform(0.25, 0.7),
            border=(float(border[0]), float(border[1]), float(border[2]), float(border[3])),
            border_grey=float(rng.choice([0.0, 0.0, rng.uniform(0.0, 0.06)])),
            letters=letters,
            # On the side they name, in the upper third, mostly outside the lungs.
            letter_at=(1 - across if side == "L" else across, rng.uniform(0.04, 0.3), rng.uniform(0.022, 0.05),
                       rng.uniform(0.75, 1.0)),
            devices=int(rng.integers(2, 6)) if rng.random() < 0.3 else 0,
        )  # fmt: skip

    def adjusted(self, noise: float | None, contrast: float | None) -> "Exposure":
        """With noise and contrast as given; None keeps what was drawn."""
        return replace(
            self,
            noise=self.noise if noise is None else noise,
            contrast=self.contrast if contrast is None else contrast,
        )

    def content(self, width: int, height: int) -> tuple[int, int, int, int]:
        """The box (x, y, w, h) in pixels inside the border."""
        left, top = round(self.border[0] * width), round(self.border[1] * height)
        right, bottom = round(self.border[2] * width), round(self.border[3] * height)
        return left, top, width - left - right, height - top - bottom


def add_devices(shadows: Shadows, chest: UprightChest, count: int, rng: np.random.Generator) -> None:
    """Electrodes with their leads, and lines that come with a bed: a central line, a breathing or stomach tube."""
    if not count:
        return
    wide, top = chest.cavity_width, chest.height
    exit_at = np.array([rng.choice([-1.0, 1.0]) * wide * 1.9, -120.0, rng.uniform(0.0, top)])
    for _ in range(count):
        spot = np.array([rng.uniform(-0.9, 0.9) * wide, -120.0, rng.uniform(0.1, 1.0) * top])
        for radius, value in ((rng.uniform(5.0, 9.0), 4.0), (2.6, 22.0)):
            shadows.add_path(np.stack([spot, spot + np.array([0.5, 0.0, 0.0])]), radius, 2.0 * value)
        shadows.add_path(_bent(spot, exit_at, 40.0, rng), 0.9, 7.0)
    if rng.random() < 0.5:
        side = rng.choice([-1.0, 1.0])
        entry, tip = np.array([side * 0.7 * wide, 0.0, top + 10.0]), np.array([-18.0, 0.0, 0.6 * top])
        shadows.add_path(_bent(entry, tip, 22.0, rng), 1.2, 2.2)
    if rng.random() < 0.35:
        end = rng.choice([chest.hilum_z + 50.0, -30.0])
        start, tip = np.array([0.0, 0.0, top + 140.0]), np.array([rng.normal(0, 4) + 25.0 * (end < 0), 0.0, end])
        shadows.add_path(_bent(start, tip, 8.0, rng), 2.6, 1.1)


def _bent(
    start: NDArray[np.float64], end: NDArray[np.float64], bend_mm: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    t = np.linspace(0.0, 1.0, 50)[:, None]
    sideways = np.sin(np.pi * t) * rng.normal(0, bend_mm, 3) + np.sin(2 * np.pi * t) * rng.normal(0, bend_mm / 2, 3)
    return start + t * (end - start) + sideways


def develop(
    usual: Array, added: Array, lungs: NDArray[np.bool_], exposure: Exposure, rng: np.random.Generator
) -> Array:
    """The picture of a body.

    Args:
        usual: mm of water on each ray without the infection, [y, x]; it sets the window, as a technician exposes
            for the patient's build.
        added: mm of water of the infection.
        lungs: the lung fields, [y, x].
        exposure: how the picture is taken.
        rng: source of the noise.

    Returns:
        float32 [y, x], 0 dark to 1 dense.
    """
    reference = _film(usual, exposure)
    film = _film(usual + added, exposure) if added.any() else reference
    low = float(np.quantile(reference[lungs], 0.05)) if lungs.any() else float(np.quantile(reference, 0.1))
    high = float(np.quantile(reference, 0.93))
    step = (film - low) / np.float32(max(high - low, 1e-3))
    # The film's shoulder: what is denser than lung is pressed together.
    shoulder = np.float32(exposure.shoulder)
    step = np.where(step > 0, step * (1 + shoulder) / (1 + shoulder * np.maximum(step, 0)), step * (1 + shoulder))
    grey = exposure.dark + step * np.float32(exposure.bright - exposure.dark)
    grey = 0.5 + (grey - 0.5) * np.float32(exposure.contrast)
    quanta = np.exp(np.clip(0.5 * (film - low), -1.0, 1.4))
    grain = ndimage.gaussian_filter(rng.standard_normal(film.shape, dtype=np.float32), 0.5) * 1.7
    grey = np.clip(grey + np.float32(exposure.noise) * quanta * grain, 0.0, 1.0)
    curve = grey * grey * (3.0 - 2.0 * grey)
    grey = grey + np.float32(exposure.toe) * (curve - grey)
    return (grey ** np.float32(exposure.gamma)).astype(np.float32)


def frame(grey: Array, exposure: Exposure) -> tuple[int, int, int, int]:
    """Burn letters and border into the picture in place; returns the content's box (x, y, w, h)."""
    height, width = grey.shape
    x, y, w, h = exposure.content(width, height)
    across, down, tall, value = exposure.letter_at
    cell = max(1, round(tall * max(width, height) / 7))
    for number, letter in enumerate(exposure.letters):
        rows = [[(row >> (4 - i)) & 1 for i in range(5)] for row in GLYPHS[letter]]
        glyph = np.kron(np.array(rows, bool), np.ones((cell, cell), bool))
        start = min(x + round(across * w), x + w - 6 * cell * len(exposure.letters))
        top, left = y + round(down * h), max(start, x) + number * 6 * cell
        part = grey[top : top + 7 * cell, left : left + 5 * cell]
        part[glyph[: part.shape[0], : part.shape[1]]] = value
    inside = np.zeros(grey.shape, bool)
    inside[y : y + h, x : x + w] = True
    grey[~inside] = exposure.border_grey
    return x, y, w, h


def _film(water: Array, exposure: Exposure) -> Array:
    """What a detector sees of it, as a logarithm: scatter fills up the dense parts."""
    passed = np.exp(np.float32(-WATER_PER_MM) * water)
    film = -np.log(passed + np.float32(exposure.scatter) * _wide_blur(np.minimum(passed, 0.4)))
    # Local contrast, as a computed radiograph is processed before it is shown.
    return (film + np.float32(exposure.detail) * (film - _wide_blur(film))).astype(np.float32)


def _wide_blur(plane: Array) -> Array:
    """A blur over about a tenth of the picture, on every fourth pixel: it has no detail to lose."""
    small = ndimage.gaussian_filter(plane[::4, ::4], max(plane.shape) / 40.0, mode="nearest")
    rows = np.minimum(np.arange(plane.shape[0]) / 4.0, small.shape[0] - 1)
    columns = np.minimum(np.arange(plane.shape[1]) / 4.0, small.shape[1] - 1)
    r, c = rows.astype(int), columns.astype(int)
    r1, c1 = np.minimum(r + 1, small.shape[0] - 1), np.minimum(c + 1, small.shape[1] - 1)
    wr, wc = (rows - r).astype(np.float32)[:, None], (columns - c).astype(np.float32)
    along = small[r] * (1 - wr) + small[r1] * wr
    return (along[:, c] * (1 - wc) + along[:, c1] * wc).astype(np.float32)

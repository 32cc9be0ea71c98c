"""A phantom's chest from the front and from the side, and what tells the two apart.

Ours: the CT of a phantom is summed along parallel rays, which gives a lateral view for nothing. It lacks shoulders,
arms and neck, so that it teaches how a view differs from another and not what a radiograph looks like.

    python -m pneumoscreen.ct.phantoms.views

prints the table that ``images.radiograph_view`` knows a lateral view by.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...images.radiograph_view import features
from .phantom import PhantomSpec, generate_phantom

SEEDS = range(500_000, 500_060)
STEP_MM = 4.0
_SPEC = PhantomSpec(matrix=112, thickness_mm=STEP_MM, noise_hu=0.0)


@dataclass(frozen=True)
class Views:
    """Two pictures [y, x] of one chest, head up, 0 (dark) to 1; from the side it faces the left or the right."""

    frontal: NDArray[np.float32]
    lateral: NDArray[np.float32]


def chest_views(seed: int) -> Views:
    """The views of the phantom of a seed, each with its own framing and exposure."""
    volume = generate_phantom(seed, spec=_SPEC).volume
    rng = np.random.default_rng([seed, 4])
    water = np.clip((volume.hu.astype(np.float32) + 1000) / 1000, 0, 2.5)
    water = ndimage.zoom(water, [mm / STEP_MM for mm in volume.spacing_zyx], order=1)
    side = float(rng.choice([-90.0, 90.0]))
    return Views(*(_develop(_shadow(water, turn + rng.normal(0, 5)), rng) for turn in (0.0, side)))


def _shadow(water: NDArray[np.float32], degrees: float) -> NDArray[np.float32]:
    """Mm of water [row, column] along y, after the chest has turned about its long axis."""
    turned = ndimage.rotate(water, degrees, axes=(1, 2), order=1)
    return (turned.sum(axis=1)[::-1] * STEP_MM).astype(np.float32)


def _develop(shadow: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Exposed, scattered and printed, in a frame around the body that cuts some of it off."""
    passed = np.exp(-rng.uniform(0.010, 0.022) * shadow)
    grey = -np.log(passed + rng.uniform(0.05, 0.5) * passed.mean())
    grey = ((grey - grey.min()) / np.ptp(grey)) ** rng.uniform(0.7, 1.8)
    body = np.flatnonzero((shadow > 30).mean(axis=0) > 0.3)
    height, width = len(grey), len(body)
    left, right = body[0] + int(rng.uniform(-0.08, 0.14) * width), body[-1] - int(rng.uniform(-0.08, 0.14) * width)
    rows = slice(int(rng.uniform(0, 0.08) * height), height - int(rng.uniform(0, 0.15) * height))
    framed = grey[rows, max(left, 0) : right + 1]
    low, high = np.percentile(framed, (0.5, 99.5))
    return np.clip((framed - low) / (high - low), 0, 1).astype(np.float32)


def lateral_less_frontal(seeds: range) -> NDArray[np.float64]:
    """Mean features of the lateral views less those of the frontal ones, [2, 8, 4]."""
    differences = []
    for seed in seeds:
        views = chest_views(seed)
        differences.append(features(views.lateral) - features(views.frontal))
    return np.asarray(np.mean(differences, axis=0))


if __name__ == "__main__":
    print(np.array2string(lateral_less_frontal(SEEDS), precision=2, separator=", "))

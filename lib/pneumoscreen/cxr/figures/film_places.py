"""Whether what Grad-CAM shows lies where a reader drew an opacity (ours).

The peak is judged, as radiologists look at the warmest place first. For phantoms with one affected lung, whose lesions
are known to the pixel:

    python -m pneumoscreen.cxr.figures.film_places --seed 910001 --count 25
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import PneumoScreenError
from ...models.store import ModelStore
from ..phantoms.radiograph import generate_radiograph
from ..screening import CxrScreener


def read_opacity(path: Path, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where a reader drew an opacity: bool [y, x], the pixels that are not black.

    Args:
        path: a picture.
        shape: of the X-ray, (y, x).

    Raises:
        PneumoScreenError: if it is no picture of that size.
    """
    try:
        with Image.open(path) as picture:
            drawn = np.asarray(picture.convert("L")) > 0
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise PneumoScreenError(f"{path.name} is no picture that can be read ({error}); save it as PNG") from None
    if drawn.shape != tuple(shape):
        said, wanted = (" x ".join(map(str, reversed(size))) for size in (drawn.shape, shape))
        raise PneumoScreenError(f"{path.name} has {said} pixels and its X-ray {wanted}; draw it on the X-ray as it is")
    return drawn


def peak_lies_in(heat: NDArray[np.float32], drawn: NDArray[np.bool_]) -> bool | None:
    """Whether the largest value of a heat map [y, x] lies in the drawn place [y, x]; None where nothing is drawn."""
    return bool(drawn.flat[int(np.argmax(heat))]) if drawn.any() else None


def peaks_in_phantoms(seeds: Iterable[int], screener: CxrScreener) -> list[bool]:
    """For each phantom in which one lung is affected: whether the peak lies in a lesion."""
    found = []
    for seed in seeds:
        phantom = generate_radiograph(seed)
        if sum(phantom.sides.values()) == 1:
            place = peak_lies_in(screener.screen(phantom.radiograph).gradcam, phantom.lesions > 0)
            found.append(bool(place))
    return found


def main() -> None:
    """Command line: the peaks in phantoms."""
    parser = argparse.ArgumentParser(description="Whether the peak of Grad-CAM lies in a lesion of phantoms.")
    parser.add_argument("--seed", type=int, default=910_001, help="of the first phantom")
    parser.add_argument("--count", type=int, default=25, help="phantoms drawn; those with one affected lung count")
    parser.add_argument("--model-dir", type=Path, help="model store; default: the project's own")
    arguments = parser.parse_args()
    screener = CxrScreener.from_store(ModelStore(arguments.model_dir))
    found = peaks_in_phantoms(range(arguments.seed, arguments.seed + arguments.count), screener)
    print(f"peak in a lesion: {sum(found)} of {len(found)} phantoms with one affected lung")


if __name__ == "__main__":
    main()

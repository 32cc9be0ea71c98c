"""Makes the sample case of the extension again: ``python -m tests.slicer_extension.sample_data``.

A phantom as ``pneumoscreen phantom`` paints it, in steps of 8 HU: less than the scan's noise, half the size.
"""

import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from pneumoscreen.ct.phantoms.phantom import PhantomSpec, generate_phantom

SAMPLE = Path(__file__).parents[2] / "slicer_extension/PneumoScreen/Resources/SampleData/phantom.nrrd"
# The screening beside it, phantom.json, is that of ``pneumoscreen screen`` without its times.
SEED = 7
STEP_HU = 8


def write_sample(target: Path) -> None:
    """Write the sample case as NRRD."""
    volume = generate_phantom(SEED, "covid19", PhantomSpec(matrix=208, slices=44)).volume
    coarse = (np.round(np.asarray(volume.hu) / STEP_HU) * STEP_HU).clip(-1000, 1200).astype(np.int16)
    sitk.WriteImage(volume.to_sitk(coarse), target, useCompression=True)


if __name__ == "__main__":
    write_sample(Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE)

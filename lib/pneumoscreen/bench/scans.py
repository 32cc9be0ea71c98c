"""The images that are measured: phantoms of a given size, made once and kept.

Run as ``python -m pneumoscreen.bench.scans ct|cxr FILE SIZE SEED``: making a large phantom takes memory, and on Linux a
process counts the memory of the one that started it as its own peak. So the measuring process stays small.
"""

import subprocess
import sys
from pathlib import Path

MATRIX = 512
SEED = 7


def bench_scan(folder: Path, slices: int) -> Path:
    """The phantom of this many slices of 512x512 pixels, as NIfTI in the folder; made where missing."""
    return _made("ct", folder / f"ct-512x512x{slices}.nii.gz", slices)


def bench_scans(folder: Path, slices: int, count: int) -> list[Path]:
    """As many different ones; made where missing."""
    seeds = range(SEED + 1, SEED + 1 + count)
    return [_made("ct", folder / f"ct-512x512x{slices}-{seed}.nii.gz", slices, seed) for seed in seeds]


def bench_radiograph(folder: Path, side: int) -> Path:
    """A radiograph phantom whose longer side has this many pixels, as DICOM in the folder; made where missing."""
    return _made("cxr", folder / f"cxr-{side}.dcm", side)


def _made(kind: str, path: Path, size: int, seed: int = SEED) -> Path:
    if not path.exists():
        print(f"making {path}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", __name__, kind, str(path), str(size), str(seed)], check=True)
    return path


def _write_ct(path: Path, slices: int, seed: int) -> None:
    import SimpleITK as sitk

    from ..ct.phantoms.phantom import PhantomSpec, generate_phantom

    volume = generate_phantom(seed, "covid19", PhantomSpec(matrix=MATRIX, slices=slices)).volume
    sitk.WriteImage(volume.to_sitk(volume.hu), str(path), useCompression=True)


def _write_radiograph(path: Path, side: int, seed: int) -> None:
    import numpy as np
    import SimpleITK as sitk

    from ..cxr.phantoms.radiograph import RadiographSpec, generate_radiograph

    pixels = generate_radiograph(seed, "covid19", RadiographSpec(size=side)).radiograph.pixels
    image = sitk.GetImageFromArray(np.rint(pixels * 4095.0).astype(np.uint16)[None])
    image.SetMetaData("0008|0060", "DX")
    sitk.WriteImage(image, str(path))


if __name__ == "__main__":
    target = Path(sys.argv[2])
    part = target.with_name(f"part-{target.name}")
    {"ct": _write_ct, "cxr": _write_radiograph}[sys.argv[1]](part, int(sys.argv[3]), int(sys.argv[4]))
    part.replace(target)

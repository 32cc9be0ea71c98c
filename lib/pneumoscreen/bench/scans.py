"""The scans that are measured: phantoms of a given size, made once and kept.

Run as ``python -m pneumoscreen.bench.scans FILE SLICES``: making a large phantom takes memory, and on Linux a
process counts the memory of the one that started it as its own peak. So the measuring process stays small.
"""

import subprocess
import sys
from pathlib import Path

MATRIX = 512
SEED = 7


def bench_scan(folder: Path, slices: int) -> Path:
    """The phantom of this many slices of 512x512 pixels, as NIfTI in the folder; made where missing."""
    path = folder / f"ct-512x512x{slices}.nii.gz"
    if not path.exists():
        print(f"making {path}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", __name__, str(path), str(slices)], check=True)
    return path


def _write(path: Path, slices: int) -> None:
    import SimpleITK as sitk

    from ..phantoms import PhantomSpec, generate_phantom

    volume = generate_phantom(SEED, "covid19", PhantomSpec(matrix=MATRIX, slices=slices)).volume
    part = path.with_name(f"part-{path.name}")
    sitk.WriteImage(volume.to_sitk(volume.hu), str(part), useCompression=True)
    part.replace(path)


if __name__ == "__main__":
    _write(Path(sys.argv[1]), int(sys.argv[2]))

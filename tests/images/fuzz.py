"""The fuzz of the readers: ``make fuzz``, that is ``python -m tests.images.fuzz --count 20000``.

File n is a seed that is mutated by n alone, so that a run goes on where it stopped (the state lies beside the faults),
and any fault can be made again with ``--first n --count 1``. Each is read as the server reads what others send: in a
child process with limits. A fault is whatever is not an image and not one of our own errors: a crash, an untyped
exception, more than 30 s of the processor, more than 4 GiB.
"""

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from pneumoscreen.cxr.method import METHOD as CXR
from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.images.faults import DimensionError
from pneumoscreen.limits import Limits
from pneumoscreen.server.store.reading import LimitedReading, OversteppedError

from .conftest import make_chest, recompress, write_enhanced, write_series
from .radiographs import write_dataset
from .test_mutated import mutate

LIMITS = Limits(read_memory_mb=4096, read_seconds=30)
_STATE = "state.json"


@dataclass(frozen=True)
class Seed:
    """A sound file or folder, and how it is read."""

    path: Path
    read: Callable[[LimitedReading, Path], object]


def make_seeds(folder: Path) -> list[Seed]:
    """One of each kind that the readers know, synthetic and small."""
    image = sitk.GetImageFromArray(make_chest())
    image.SetSpacing((1.5, 2.0, 5.0))
    seeds = []
    for name, compress in (("a.nii", False), ("a.nii.gz", True), ("a.nrrd", False), ("b.nrrd", True), ("a.mha", False)):
        sitk.WriteImage(image, folder / name, useCompression=compress)
        seeds += [Seed(folder / name, _volume), Seed(folder / name, _raw)]
    seeds.append(Seed(write_series(folder / "series", make_chest()), _volume))
    for compressor in ("JPEG", "JPEG2000", "RLE"):
        recompress(write_series(folder / compressor, make_chest()), compressor)
        seeds.append(Seed(folder / compressor, _volume))
    seeds.append(Seed(write_enhanced(folder / "multi.dcm", make_chest(), list(range(12)), [-1024.0] * 12), _volume))
    seeds.append(Seed(write_dataset(folder / "cr.dcm"), _radiograph))
    grey = np.clip((make_chest()[6].astype(float) + 1000) / 8, 0, 255).astype(np.uint8)
    picture = sitk.GetImageFromArray(np.kron(grey, np.ones((8, 8), np.uint8)))
    for name in ("a.png", "a.jpg", "a.bmp", "a.tif"):
        sitk.WriteImage(picture, folder / name)
        seeds.append(Seed(folder / name, _radiograph))
    return seeds


def _volume(reading: LimitedReading, path: Path) -> object:
    return reading.volume(path)


def _raw(reading: LimitedReading, path: Path) -> object:
    return reading.raw(path)


def _radiograph(reading: LimitedReading, path: Path) -> object:
    return reading.image(CXR, path)


def mutated(seed: Seed, number: int, folder: Path) -> Path:
    """The seed with its n-th mutation; of a folder one file is mutated."""
    rng = np.random.default_rng(number)
    target = folder / seed.path.name
    if seed.path.is_dir():
        shutil.copytree(seed.path, target)
        files = sorted(target.iterdir())
        changed = files[int(rng.integers(len(files)))]
    else:
        changed = Path(shutil.copyfile(seed.path, target))
    data = changed.read_bytes()
    for _ in range(int(rng.integers(1, 4))):
        data = mutate(data, rng) if data else data
    changed.write_bytes(data)
    return target


def outcome(seed: Seed, path: Path, reading: LimitedReading) -> str:
    """``read``, ``refused``, or what is wrong with the reader."""
    try:
        seed.read(reading, path)
    except OversteppedError as error:
        return f"overstepped: {error}"
    except DimensionError as error:
        return f"memory: {error}" if "MB of memory" in str(error) else "refused"
    except PneumoScreenError:
        return "refused"
    except Exception as error:
        return f"untyped: {error!r}"
    return "read"


def fuzz(first: int, count: int, out: Path) -> tuple[Counter[str], dict[int, str]]:
    """Read the files ``first`` to ``first + count``; faults are kept in ``out`` with the files that made them.

    Returns:
        How many ended how, and what was wrong by number.
    """
    reading, outcomes, faults = LimitedReading(LIMITS), Counter[str](), dict[int, str]()
    slowest = (0.0, -1)
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "seeds").mkdir()
        seeds = make_seeds(Path(scratch) / "seeds")
        for number in range(first, first + count):
            seed, folder = seeds[number % len(seeds)], Path(scratch) / "now"
            folder.mkdir()
            path = mutated(seed, number, folder)
            began = time.monotonic()
            said = outcome(seed, path, reading)
            slowest = max(slowest, (time.monotonic() - began, number))
            outcomes[said.partition(":")[0]] += 1
            if said not in ("read", "refused"):
                faults[number] = said
                shutil.copytree(folder, out / f"fault-{number}", dirs_exist_ok=True)
            shutil.rmtree(folder)
            if number % 100 == 99:
                (out / _STATE).write_text(json.dumps({"next": number + 1}))
                print(f"{number + 1}: {dict(outcomes)}; slowest: file {slowest[1]}, {slowest[0]:.1f} s", flush=True)
    reading.close()
    megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024  # of the children that have ended
    print(f"slowest: file {slowest[1]}, {slowest[0]:.1f} s; most memory of a process: {megabytes} MB")
    return outcomes, faults


def main() -> int:
    """Run; 1 if there was a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="files up to which it goes, from 0")
    parser.add_argument("--first", type=int, help="number of the first file; default: where the last run stopped")
    parser.add_argument("--out", type=Path, default=Path("build/fuzz"), help="folder of state and faults")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    state = options.out / _STATE
    first = options.first
    if first is None:
        first = json.loads(state.read_text(encoding="utf-8"))["next"] if state.exists() else 0
        options.count -= first
    outcomes, faults = fuzz(first, max(options.count, 0), options.out)
    for number, said in faults.items():
        print(f"file {number}: {said}")
    print(f"{sum(outcomes.values())} files from {first} on: {dict(outcomes)}; faults: {len(faults)}")
    return 1 if faults or any(options.out.glob("fault-*")) else 0


if __name__ == "__main__":
    sys.exit(main())

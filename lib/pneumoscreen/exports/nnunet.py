"""Annotated CTs as a raw data set of nnU-Net v2 (Isensee et al. 2021), divided by patient as the folder is.

Training and validation patients are ``imagesTr`` and ``labelsTr``, and ``splits_final.json`` tells them apart; test
patients are ``imagesTs`` and ``labelsTs``. Scan and mask lie as the file of the scan does.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import SimpleITK as sitk

from .. import RESEARCH_USE_ONLY, __version__
from ..studies.split import Side
from .annotated import AnnotatedCase, write_image
from .anonymous import Names

NAME = "PneumoScreen"
_ENDING = ".nii.gz"


def write_nnunet(
    cases: Iterable[AnnotatedCase],
    mask_names: Sequence[str],
    out: Path,
    names: Names,
    number: int,
    say: Callable[[str], None],
) -> Path:
    """Write a data set below a folder and return its own folder.

    Args:
        cases: as they are read.
        mask_names: what the values of masks are called, from 1.
        out: the folder.
        names: what cases are called.
        number: of the data set.
        say: takes a note where nnU-Net has to divide the cases itself.
    """
    folder = out / f"Dataset{number:03d}_{NAME}"
    sides: dict[Side, list[str]] = {side: [] for side in Side}
    for case in cases:
        part, name = "Ts" if case.side is Side.TEST else "Tr", names.case(case.case_id)
        _write(case.marked.image, folder / f"images{part}" / f"{name}_0000{_ENDING}")
        assert case.marked.mask is not None  # as methods with `mask_names` give it
        _write(case.marked.mask, folder / f"labels{part}" / f"{name}{_ENDING}")
        sides[case.side].append(name)
    (folder / "imagesTr").mkdir(parents=True, exist_ok=True)
    (folder / "labelsTr").mkdir(exist_ok=True)
    described = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, **{name: value for value, name in enumerate(mask_names, start=1)}},
        "numTraining": len(sides[Side.TRAINING]) + len(sides[Side.VALIDATION]),
        "file_ending": _ENDING,
        "name": NAME,
        "description": f"Lungs and infection by PneumoScreen {__version__}. {RESEARCH_USE_ONLY}",
    }
    _write_json(folder / "dataset.json", described)
    if sides[Side.TRAINING] and sides[Side.VALIDATION]:
        split = [{"train": sides[Side.TRAINING], "val": sides[Side.VALIDATION]}]
        _write_json(folder / "splits_final.json", split)
    else:
        counts = ", ".join(f"{side.value} {len(found)}" for side, found in sides.items())
        say(f"note: no splits_final.json, since a side of the split has no case ({counts}); annotate more patients")
    return folder


def _write(image: sitk.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(image, path)


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")

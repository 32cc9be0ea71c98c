"""What runs in a process that reads scans: the orders that it knows beside those of the module that is started."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..images.examination import examination_of
from ..images.inputs import file_input, modality_of
from ..images.series_search import folders_of_series
from ..images.volume_file import read_volume_file
from ..methods import method_for
from ..subprocesses import serving
from ..subprocesses.serving import Reply, Work


def run(work: Mapping[str, Work] | None = None) -> int:
    """Serve orders until standard input ends.

    Args:
        work: what is done beside ``WORK``, by the kind of the order.
    """
    return serving.run({**WORK, **(work or {})})


def _plain(value: Any, main: str) -> dict[str, Any]:
    """The fields of an image but its ``main`` array, as JSON values."""
    found = {field.name: getattr(value, field.name) for field in fields(value) if field.name != main}
    return {name: _json(item) for name, item in found.items()}


def _json(item: Any) -> Any:
    if isinstance(item, np.ndarray):
        return {"dtype": item.dtype.str, "values": item.tolist()}
    return str(item) if isinstance(item, Path) else item


def _image(order: dict[str, Any]) -> Reply:
    method = method_for(order["modality"])
    image = method.read_file(Path(order["path"]), _root(order), [Path(text) for text in order["more"]])
    return _plain(image, method.voxels), getattr(image, method.voxels)


def _raw(order: dict[str, Any]) -> Reply:
    raw = read_volume_file(Path(order["path"]))
    return _plain(raw, "values"), raw.values


def _modality(order: dict[str, Any]) -> Reply:
    return {"modality": modality_of(Path(order["path"]))}, None


def _examination(order: dict[str, Any]) -> Reply:
    return asdict(examination_of(Path(order["path"]))), None


def _series(order: dict[str, Any]) -> Reply:
    found = folders_of_series([Path(text) for text in order["folders"]])
    return {"series": [[str(path) for path in paths] for paths in found]}, None


def _single(order: dict[str, Any]) -> Reply:
    return {"is_image": bool(file_input(Path(order["path"])).headers)}, None


def _root(order: dict[str, Any]) -> Path | None:
    return None if order["root"] is None else Path(order["root"])


WORK: dict[str, Work] = {
    "image": _image,
    "raw": _raw,
    "modality": _modality,
    "examination": _examination,
    "series": _series,
    "single": _single,
}

"""Which image of a study is screened: of CTs the thinnest axial series of a soft kernel, else one frontal X-ray.

The rule is ours. A study that holds both is screened by its CT, which shows more. What a header does not say is taken
to be well: a series is left out only for what its header does say.
"""

import datetime
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np
from pydicom.dataset import Dataset

from ..images.dicom_series import RADIOGRAPHS
from ..images.raw import MIN_SLICES
from .choices import Kernel
from .client import SeriesFound

FILMS = ("CR", "DX")
MODALITIES = ("CT", *FILMS)
"""What is asked for; a PACS finds others (DR, RG) seldom under these names."""
NOTHING = "the study holds no axial chest CT and no frontal chest X-ray that could be screened"
MOST_SERIES = 3
"""Ours: of a study so many series are tried, until one can be screened."""
_AXIAL = 0.94
"""Least cosine between a slice's normal and the patient's axis: 20 degrees, what the reader of volumes takes."""
_CHEST = ("CHEST", "THORAX", "LUNG")
_WHOLE = ("BODY", "TRUNK")
_THICK_MM = 99.0
_MOST_FILMS = 8
"""Images of an X-ray series whose headers are asked for."""
_SHARP = re.compile(
    r"\b(LUNG|BONE\w*|EDGE|DETAIL|SHARP|ULTRA|HR\w*|Y[ABCD]|FC(3\d|5\d|8\d)|[BDEILHJUT][a-z]?(5|6|7|8|9)\d[a-z]?)\b|^[DEL]$",
    re.IGNORECASE,
)
"""Names of kernels that bring out edges: GE, Philips, Canon by name, Siemens by a number from 50 on (B70f, Bl57)."""


@dataclass(frozen=True)
class Candidate:
    """A series, or an image of one, that may be screened.

    Attributes:
        series_uid: of it.
        instance_uid: the one image of an X-ray; None where the whole series is meant.
        instances: how many files it has, where the PACS says so.
        rank: the smaller, the sooner it is taken.
        said: what its header says of it, in words of this program.
    """

    series_uid: str
    instance_uid: str | None
    instances: int | None
    rank: tuple[float, ...] = field(default=())
    said: str = field(default="", compare=False)


def since(days: int) -> str | None:
    """StudyDate of the last days, as DICOM writes a range; None for 0 days, which is all."""
    return f"{datetime.date.today() - datetime.timedelta(days=days):%Y%m%d}-" if days else None


class Listed(Protocol):
    """Tells what is in a study."""

    def series(self, study_uid: str) -> Sequence[SeriesFound]:
        """The series of a study."""

    def instances(self, study_uid: str, series_uid: str) -> Sequence[str]:
        """Names of a series' images."""

    def header(self, study_uid: str, series_uid: str, instance_uid: str) -> Dataset:
        """The header of an image."""


def any_header(origin: Listed, study_uid: str) -> Dataset | None:
    """The header of some image of a study; None where it holds none that may be screened.

    Raises:
        PacsError: if the origin cannot be asked.
    """
    for series in origin.series(study_uid):
        if series.modality in MODALITIES and (names := origin.instances(study_uid, series.uid)):
            return origin.header(study_uid, series.uid, names[0])
    return None


def candidates(
    origin: Listed, study_uid: str, kernel: Kernel = Kernel.SOFT, listed: Sequence[SeriesFound] | None = None
) -> list[Candidate]:
    """What of a study may be screened, the best first; empty where nothing may.

    Args:
        origin: asked.
        study_uid: the study.
        kernel: which reconstruction goes before others.
        listed: its series that may be taken; default: all.

    Raises:
        PacsError: if the origin cannot be asked.
    """
    found: list[Candidate] = []
    listed, header = origin.series(study_uid) if listed is None else listed, partial(_header, origin, study_uid)
    for series in listed:
        # One instance may be a file of many frames.
        if series.modality == "CT" and (series.instances in (None, 1) or series.instances >= MIN_SLICES):
            found += _of_ct(series, origin.instances(study_uid, series.uid), header, kernel)
    if not found:
        for series in listed:
            if series.modality in RADIOGRAPHS:
                found += _of_films(series, origin.instances(study_uid, series.uid), header)
    return sorted(found, key=lambda candidate: (candidate.rank, candidate.series_uid))


def candidate_of_series(origin: Listed, study_uid: str, series_uid: str) -> Candidate | None:
    """What of a series may be screened that somebody asks for: all of it, or of X-rays the best; None where nothing.

    Raises:
        PacsError: if the origin cannot be asked.
    """
    series = next((series for series in origin.series(study_uid) if series.uid == series_uid), None)
    if series is None:
        return None
    if series.modality not in RADIOGRAPHS:
        return Candidate(series.uid, None, series.instances)
    films = _of_films(series, origin.instances(study_uid, series.uid), partial(_header, origin, study_uid))
    return min(films, key=lambda film: film.rank, default=None)


def _header(origin: Listed, study_uid: str, series: SeriesFound, instance: str) -> Dataset:
    return origin.header(study_uid, series.uid, instance)


def choice_note(found: Sequence[Candidate], taken: Candidate) -> str | None:
    """A sentence for the document on what of a study was screened; None where there was no choice."""
    if len(found) < 2:
        return None
    what = "X-rays" if taken.instance_uid else "series"
    return f"The study holds {len(found)} {what} that may be screened; this one was taken: {taken.said}."


def _of_ct(
    series: SeriesFound, instances: Sequence[str], header: Callable[[SeriesFound, str], Dataset], kernel: Kernel
) -> Iterator[Candidate]:
    if not instances:
        return
    # The middle one: scout views stand at the beginning.
    seen = header(series, sorted(instances)[len(instances) // 2])
    if max(len(instances), *_numbers(seen, "NumberOfFrames"), 0) < MIN_SLICES or not is_axial_chest(seen):
        return
    yield Candidate(series.uid, None, series.instances or len(instances), ct_rank(seen, kernel), _said_of_ct(seen))


def _said_of_ct(header: Dataset) -> str:
    is_edged, thickness, _ = ct_rank(header)
    slices = f"slices of {thickness:g} mm" if thickness < _THICK_MM else "slices of unknown thickness"
    return f"series {_whole(header, 'SeriesNumber')}, {'sharp' if is_edged else 'soft'} kernel, {slices}"


def _whole(header: Dataset, keyword: str) -> str:
    """A number of a header; text that is none may name a patient."""
    try:
        return str(int(header.get(keyword)))
    except (TypeError, ValueError):
        return "without a number"


def is_axial_chest(header: Dataset) -> bool:
    """Whether a CT slice may be one of an axial chest series, as far as its header says."""
    kind = {str(part).upper() for part in _parts(header.get("ImageType"))}
    if kind & {"LOCALIZER", "SECONDARY", "MIP", "MPR_COR", "MPR_SAG", "CORONAL", "SAGITTAL"} and "AXIAL" not in kind:
        return False
    part = str(header.get("BodyPartExamined") or "").upper()
    if part and not any(word in part for word in (*_CHEST, *_WHOLE)):
        return False
    directions = _numbers(header, "ImageOrientationPatient")
    if len(directions) != 6:
        return True
    normal = np.cross(directions[:3], directions[3:])
    return bool(abs(normal[2]) > _AXIAL)


def ct_rank(header: Dataset, wanted: Kernel = Kernel.SOFT) -> tuple[float, ...]:
    """The wanted kernel before the other, thin before thick, without contrast before with."""
    kernel = " ".join(map(str, _parts(header.get("ConvolutionKernel"))))
    is_other = wanted is not Kernel.ANY and is_sharp(kernel) != (wanted is Kernel.SHARP)
    thickness = next(iter(_numbers(header, "SliceThickness")), _THICK_MM)
    return float(is_other), thickness, float(bool(header.get("ContrastBolusAgent")))


def is_sharp(kernel: str) -> bool:
    """Whether a reconstruction kernel brings out edges, by its name."""
    return bool(_SHARP.search(kernel))


def _of_films(
    series: SeriesFound, instances: Sequence[str], header: Callable[[SeriesFound, str], Dataset]
) -> Iterator[Candidate]:
    for instance in sorted(instances)[:_MOST_FILMS]:
        seen = header(series, instance)
        rank = film_rank(seen)
        if rank is not None:
            view = {0.0: "postero-anterior", 1.0: "antero-posterior"}.get(rank[0], "view not named")
            yield Candidate(series.uid, instance, 1, rank, f"image {_whole(seen, 'InstanceNumber')}, {view}")


def film_rank(header: Dataset) -> tuple[float, ...] | None:
    """Postero-anterior before antero-posterior before what does not say; None for other views and body parts."""
    part = str(header.get("BodyPartExamined") or "").upper()
    if part and not any(word in part for word in (*_CHEST, "RIB")):
        return None
    view = str(header.get("ViewPosition") or "").upper()
    if view in ("LL", "RL", "LATERAL", "LAT", "LLO", "RLO", "LPO", "RPO", "LAO", "RAO"):
        return None
    return ({"PA": 0.0, "AP": 1.0}.get(view, 2.0), -sum(_numbers(header, "Rows")))


def _numbers(header: Dataset, keyword: str) -> tuple[float, ...]:
    """The numbers of a field; none where it does not hold numbers."""
    try:
        return tuple(float(part) for part in _parts(header.get(keyword)))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ()


def _parts(value: object) -> Sequence[object]:
    if value is None or value == "":
        return ()
    return tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)

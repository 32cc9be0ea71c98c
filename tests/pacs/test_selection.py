"""Of a study the thinnest axial chest series of a soft kernel is taken, else one frontal X-ray."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from scripts.phantom_files import write_ct, write_xray

from pneumoscreen.ct.phantoms.phantom import Phantom
from pneumoscreen.images.radiograph import Radiograph
from pneumoscreen.pacs.client import Access, Pacs
from pneumoscreen.pacs.selection import candidates, choice_note, ct_rank, film_rank, is_axial_chest, is_sharp

from .dicomweb_server import DicomwebServer

STUDY = "1.2.3.4"


def header(**fields: object) -> Dataset:
    made = Dataset()
    for keyword, value in fields.items():
        setattr(made, keyword, value)
    return made


@pytest.mark.parametrize("kernel", ["B30f", "Br40d", "I31f", "FC08", "FC18", "STANDARD", "SOFT", "B", "Qr40", ""])
def test_soft_kernels(kernel: str) -> None:
    assert not is_sharp(kernel)


@pytest.mark.parametrize(
    "kernel", ["B70f", "Bl57d", "I70f", "FC51", "FC30", "LUNG", "BONEPLUS", "EDGE", "YB", "L", "D"]
)
def test_sharp_kernels(kernel: str) -> None:
    assert is_sharp(kernel)


def test_soft_comes_before_thin_and_thin_before_without_contrast() -> None:
    soft_thick = ct_rank(header(ConvolutionKernel="Br40", SliceThickness=5))
    soft_thin = ct_rank(header(ConvolutionKernel=["Br40", "2"], SliceThickness=1))
    sharp_thin = ct_rank(header(ConvolutionKernel="Bl57", SliceThickness=0.6))
    contrast = ct_rank(header(ConvolutionKernel="Br40", SliceThickness=1, ContrastBolusAgent="x"))
    unknown = ct_rank(header())
    assert sorted([soft_thick, soft_thin, sharp_thin, contrast, unknown]) == [
        soft_thin, contrast, soft_thick, unknown, sharp_thin,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "is_one"),
    [
        ({}, True),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "BodyPartExamined": "CHEST"}, True),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, False),
        ({"ImageType": ["DERIVED", "SECONDARY", "MPR_COR"]}, False),
        ({"BodyPartExamined": "THORAX_ABDOMEN"}, True),
        ({"BodyPartExamined": "WHOLEBODY"}, True),
        ({"BodyPartExamined": "ABDOMEN"}, False),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}, True),
        ({"ImageOrientationPatient": [-1, 0, 0, 0, 1, 0]}, True),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, False),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0.96, 0.28]}, True),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0.9, 0.43]}, False),
        ({"ImageOrientationPatient": [1, 0, 0, 0]}, True),
        ({"ImageOrientationPatient": "", "BodyPartExamined": "", "ImageType": ""}, True),
    ],
)
def test_axial_chest(fields: dict[str, object], is_one: bool) -> None:
    assert is_axial_chest(header(**fields)) is is_one


def test_odd_values_say_nothing() -> None:
    odd = header()
    for keyword in ("SliceThickness", "ConvolutionKernel", "ImageOrientationPatient", "Rows", "ViewPosition"):
        odd.add(DataElement(keyword, "SH", ["x", "y"]))
    assert is_axial_chest(odd) and ct_rank(odd)[1] > 50 and film_rank(odd) is not None


def test_frontal_films() -> None:
    frontal, bed, unknown = (film_rank(header(ViewPosition=view, Rows=100)) for view in ("PA", "AP", ""))
    assert frontal < bed < unknown
    assert film_rank(header(ViewPosition="LL")) is None
    assert film_rank(header(ViewPosition="PA", BodyPartExamined="HAND")) is None


@pytest.fixture
def put(server: DicomwebServer, phantom: Phantom, tmp_path: Path) -> Callable[..., str]:
    """Puts a series into the study; returns its UID."""

    def put_series(number: int, slices: int = 20, **fields: object) -> str:
        uid, folder = f"{STUDY}.{number}", tmp_path / str(number)
        volume = replace(phantom.volume, hu=phantom.volume.hu[:slices])
        write_ct(volume, folder, StudyInstanceUID=STUDY, SeriesInstanceUID=uid, **fields)
        for k, path in enumerate(sorted(folder.iterdir())):
            one = pydicom.dcmread(path)
            one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"{uid}.{k}"
            one.save_as(path)
        server.add(folder)
        return uid

    return put_series


def put_film(server: DicomwebServer, path: Path, number: int, **fields: object) -> str:
    pixels = np.zeros((20, 30), np.float32)
    film = Radiograph(pixels, (0.2, 0.2), (0, 0, 30, 20), f"film{number}", Path("film"), "c" * 64)
    write_xray(film, path, StudyInstanceUID=STUDY, SeriesInstanceUID=f"{STUDY}.{number}", **fields)
    server.add(path)
    return str(pydicom.dcmread(path).SOPInstanceUID)


def test_the_best_series_of_many(server: DicomwebServer, put: Callable[..., str], tmp_path: Path) -> None:
    put(1, slices=3, SliceThickness=0.5)
    put(2, BodyPartExamined="ABDOMEN", SliceThickness=0.5)
    sharp = put(3, ConvolutionKernel="Bl57", SliceThickness=0.6)
    thick = put(4, SliceThickness=5.0)
    thin = put(5, SliceThickness=1.0)
    put(6, ImageType=["DERIVED", "SECONDARY", "MPR_COR"])
    put_film(server, tmp_path / "film.dcm", 7)
    found = candidates(Pacs(Access(server.url)), STUDY)
    assert [one.series_uid for one in found] == [thin, thick, sharp]
    assert all((one.instance_uid, one.instances) == (None, 20) for one in found)
    note = choice_note(found, found[0])
    assert note is not None
    assert note.startswith("The study holds 3 series that may be screened; this one was taken: series ")
    assert note.endswith(", soft kernel, slices of 1 mm.")
    assert choice_note(found[:1], found[0]) is None


def test_the_frontal_film_where_no_ct_will_do(server: DicomwebServer, put: Callable[..., str], tmp_path: Path) -> None:
    put(1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    put_film(server, tmp_path / "side.dcm", 2, ViewPosition="LL")
    bed = put_film(server, tmp_path / "bed.dcm", 3, ViewPosition="AP")
    frontal = put_film(server, tmp_path / "frontal.dcm", 4, ViewPosition="PA", Modality="CR")
    found = candidates(Pacs(Access(server.url)), STUDY)
    assert [(one.series_uid, one.instance_uid) for one in found] == [(f"{STUDY}.4", frontal), (f"{STUDY}.3", bed)]


def test_a_study_without_either(server: DicomwebServer, put: Callable[..., str]) -> None:
    put(1, Modality="MR")
    assert candidates(Pacs(Access(server.url)), STUDY) == []

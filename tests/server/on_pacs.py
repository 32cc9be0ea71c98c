"""A server on a PACS, for tests that hold for a server on a folder as well."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from scripts.orthanc import Orthanc, missing
from scripts.phantom_files import write_ct

from pneumoscreen.images.dicom_header import patient_key
from pneumoscreen.images.volume import Volume
from pneumoscreen.pacs.catalogue import case_name
from pneumoscreen.pacs.uids import uid_of
from pneumoscreen.studies.patients import patient_name
from pneumoscreen.studies.split import Side, side_of

from .conftest import RunningServer, serving

needs_orthanc = pytest.mark.skipif(bool(missing()), reason=f"Debian packages are not installed: {' '.join(missing())}")
AT_ONCE = ("--days", "0", "--quiet", "0", "--interval", "0.5")
"""Options of a server whose PACS' studies are whole and of any day."""


def image_id_of(volume: Volume) -> str:
    """The image of a phantom that ``write_ct`` wrote."""
    return case_name(uid_of(volume.case_id, "study"))


def patient_on(side: Side, number: int) -> str:
    """The number of a patient who is on a side of the split; another one for each ``number``."""
    names = (f"{number}-{attempt}" for attempt in range(1000))
    return next(name for name in names if side_of(patient_name("", patient_key(name))) is side)


@contextmanager
def orthanc_with(folder: Path, volumes: Mapping[str, Volume]) -> Iterator[Orthanc]:
    """An Orthanc that holds some CTs, by the numbers of their patients."""
    orthanc = Orthanc(folder / "orthanc")
    orthanc.start()
    try:
        for number, volume in volumes.items():
            write_ct(volume, folder / "sent" / volume.case_id, PatientID=number)
        orthanc.send(folder / "sent")
        yield orthanc
    finally:
        orthanc.kill()


@contextmanager
def serving_pacs(
    address: str, state: Path, models: Path, folders: pytest.TempPathFactory, *arguments: str, **variables: str
) -> Iterator[RunningServer]:
    """``pneumoscreen serve`` on a PACS; ``studies`` is its state folder."""
    words = ("--state", str(state), *AT_ONCE, *arguments)
    with serving(address, models, folders, *words, **variables) as running:
        yield replace(running, studies=state)

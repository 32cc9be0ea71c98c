"""A reader study in a studies folder: scans, readers who submit through the real store, and a truth."""

import random
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from pneumoscreen.case import Case, ImageInfo, ModelInfo, Reading, Region
from pneumoscreen.regions import ReaderMark
from pneumoscreen.studies.annotations import AnnotationStore
from pneumoscreen.studies.patients import PATIENTS_FILE
from pneumoscreen.studies.versions import IMPORT, Annotation

AT = "2026-11-28T10:00:00Z"


@dataclass(frozen=True)
class Said:
    """One submission; ``seconds`` and ``shown`` as its program told them."""

    case_id: str
    reader: str
    label: str
    seconds: float | None
    shown: bool | None


def screened(case_id: str, vote: str) -> Case:
    """What the model said of a case: one region."""
    region = Region("r1", "model", (1.0, 2.0, 3.0), (9.0, 9.0, 9.0), 0.9, "left", label=vote, confidence=0.9)
    models = {"ct_classifier": ModelInfo(4, "ab" * 32)}
    return Case(case_id, "CT", ImageInfo((4, 4, 4), (1.0, 1.0, 1.0), "00"), regions=(region,), models=models)


def read(case: Case, said: Said) -> Case:
    """The document that a reader makes of a screening: a diagnosis, and the region marked to fit it."""
    mark = ReaderMark("irrelevant" if said.label == "no_infection_found" else said.label, said.reader, AT)
    regions = tuple(replace(region, reader=mark) for region in case.regions)
    reading = None if said.seconds is None and said.shown is None else Reading(said.seconds, said.shown)
    return replace(case, regions=regions, diagnosis=said.label, reading=reading).with_verdict()


class ReadingRoom:
    """A studies folder with scans that nobody opens."""

    def __init__(self, folder: Path, votes: dict[str, str], patients: dict[str, str] | None = None) -> None:
        self.folder, self.votes = folder, votes
        self.store = AnnotationStore(folder)
        folder.mkdir(exist_ok=True)
        for case_id in votes:
            sitk.WriteImage(sitk.GetImageFromArray(np.zeros((4, 4, 4), np.int16)), folder / f"{case_id}.nii.gz")
        rows = "".join(f"{case_id},{patient}\n" for case_id, patient in (patients or {}).items())
        (folder / PATIENTS_FILE).write_text("case,patient\n" + rows)

    def truth(self, case_id: str, label: str) -> None:
        """A label that was there before any reader's."""
        said = Said(case_id, "import", label, None, None)
        self.store.submit(read(screened(case_id, self.votes[case_id]), said), "import", kind=IMPORT)

    def submit(self, said: Said) -> Annotation:
        return self.store.submit(read(screened(said.case_id, self.votes[said.case_id]), said), said.reader)


def simulated(folder: Path, cases: int = 24, seed: int = 5) -> tuple[ReadingRoom, list[Said], dict[str, str]]:
    """Two readers who read every case without the model and again with it, which makes them faster and more right.

    Two cases are of one patient. The fourth part of the cases has no known truth.
    """
    chance = random.Random(seed)
    labels = ("covid19", "influenza_a", "no_infection_found")
    ids = [f"case-{number:02d}" for number in range(cases)]
    truth = {case_id: labels[number % 3] for number, case_id in enumerate(ids)}
    votes = {
        case_id: {"no_infection_found": "irrelevant"}.get(truth[case_id], truth[case_id])
        if chance.random() < 0.8
        else "covid19"
        for case_id in ids
    }
    room = ReadingRoom(folder, votes, {case_id: f"p{number // 2}" for number, case_id in enumerate(ids)})
    known = {case_id: label for number, (case_id, label) in enumerate(truth.items()) if number % 4}
    for case_id, label in known.items():
        room.truth(case_id, label)
    said = []
    for shown in (False, True):
        for case_id in ids:
            for reader, skill in (("dr-ann", 0.75), ("dr-bob", 0.6)):
                is_right = chance.random() < skill + 0.2 * shown
                label = truth[case_id] if is_right else chance.choice(labels)
                seconds = round(chance.uniform(60, 140) * (0.6 if shown else 1.0), 1)
                said.append(Said(case_id, reader, label, seconds, shown))
                room.submit(said[-1])
    return room, said, known

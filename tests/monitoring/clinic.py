"""A clinic in a studies folder: screenings and readers' submissions over months, as documents only."""

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from pneumoscreen import __version__
from pneumoscreen.case import Case, ImageInfo, LungInfo, ModelInfo, Reading, Region
from pneumoscreen.evidence import Calibration
from pneumoscreen.monitoring.records import Records, Screening, records_of
from pneumoscreen.monitoring.summary import Monitoring, MonitoringOptions
from pneumoscreen.regions import ReaderMark
from pneumoscreen.server import WORK_FOLDER
from pneumoscreen.server.store.screenings import all_screenings, keep_screening, screened_images
from pneumoscreen.server.work.monitoring import monitoring_of_folder
from pneumoscreen.studies.audit import utc_text
from pneumoscreen.studies.patients import PATIENTS_FILE
from pneumoscreen.studies.versions import READER, Annotation
from pneumoscreen.verdict import DEFAULT_CLASSES, Verdict
from pneumoscreen.xray_findings import Cxr, placed

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
CALIBRATION = Calibration(-4.0, 1.5, "simulated cases")
INFECTED, CLEAR = "covid19", "no_infection_found"


def models(version: int = 4) -> dict[str, ModelInfo]:
    """The networks of a CT."""
    return {name: ModelInfo(version, f"{version:02d}" * 32) for name in ("ct_candidates", "ct_classifier")}


def region(name: str, label: str, score: float = 0.95, ml: float = 20.0) -> Region:
    """A region that the model found."""
    center = (10.0 * int(name[1:]), 5.0, -40.0)
    return Region(name, "model", center, (20.0, 20.0, 20.0), score, "left", (), label, 0.9, None, ml)


def scan(case_id: str, regions: tuple[Region, ...] = (), version: int = 4, **image: object) -> Case:
    """A screened CT."""
    info = ImageInfo((512, 512, 60), (0.7, 0.7, 5.0), f"sha-{case_id}")
    lungs = {"left": LungInfo(2100.0, 0.0), "right": LungInfo(2500.0, 0.0)}
    case = Case(case_id, "CT", replace(info, **image), None, lungs, regions, models=models(version))
    return case.with_verdict(calibration=CALIBRATION)


def film(case_id: str, likeliest: str = "covid19", probability: float = 0.9, **image: object) -> Case:
    """A screened X-ray."""
    rest = (1.0 - probability) / 2
    shares = {name: probability if name == likeliest else rest for name in ("covid19", "healthy", "cap")}
    sides = {"left": 0.9, "right": 0.1}
    boxes = placed({"left": (10.0, 20.0, 100.0, 200.0), "right": (150.0, 20.0, 100.0, 200.0)})
    location = "none" if likeliest == "healthy" else "left"
    case = Case(
        case_id,
        "CXR",
        replace(ImageInfo((512, 490), (0.2, 0.2), f"sha-{case_id}"), **image),
        verdict=Verdict(likeliest, "softmax", shares, shares),
        models={"cxr_discrimination": ModelInfo(2, "02" * 32)},
        cxr=Cxr(boxes, shares, sides, location),
    )
    return case.with_verdict()


def read(case: Case, reader: str, said: str, shown: bool | None = None) -> Case:
    """What a reader makes of a screening: a diagnosis, and marks that fit it on every region that is not irrelevant."""

    def marked(one: Region) -> Region:
        label = "irrelevant" if said == CLEAR or one.label == "irrelevant" else said
        return replace(one, reader=ReaderMark(label, reader, utc_text(START)))

    regions = tuple(map(marked, case.regions))
    reading = None if shown is None else Reading(60.0, shown)
    return replace(case, regions=regions, diagnosis=said, reading=reading).with_verdict()


@dataclass
class Clinic:
    """A studies folder without images."""

    folder: Path
    patients: dict[str, str]

    @classmethod
    def at(cls, folder: Path) -> "Clinic":
        """An empty one."""
        folder.mkdir(exist_ok=True)
        return cls(folder, {})

    def screen(self, case: Case, day: float = 0.0) -> Case:
        """Keep a screening as the server does, on a day after the start."""
        keep_screening(self.folder / WORK_FOLDER, case, None)
        path = self.folder / WORK_FOLDER / "screenings" / f"{case.case_id}.json"
        when = (START + timedelta(days=day)).timestamp()
        os.utime(path, (when, when))
        return case

    def submit(self, case: Case, reader: str, day: float = 0.0, kind: str = READER) -> Annotation:
        """Write the next version of a case as the store does, with a time of its own."""
        folder = self.folder / "annotations" / case.case_id
        folder.mkdir(parents=True, exist_ok=True)
        number = 1 + len(list(folder.glob("*.json")))
        made = Annotation(
            case.case_id, number, reader, utc_text(START + timedelta(days=day)), __version__, kind, None,
            case.with_verdict(), None, None, DEFAULT_CLASSES,
        )  # fmt: skip
        (folder / f"{number:06d}.json").write_text(made.to_json())
        return made

    def list_patients(self) -> None:
        """Write who is whose."""
        rows = "".join(f"{case},{patient}\n" for case, patient in self.patients.items())
        (self.folder / PATIENTS_FILE).write_text("case,patient\n" + rows)

    def records(self) -> dict[str, Records]:
        """What monitoring finds, by modality."""
        work = self.folder / WORK_FOLDER

        def screenings_of(case_id: str) -> list[Screening]:
            return [Screening(*kept) for kept in all_screenings(work, case_id, DEFAULT_CLASSES)]

        found = records_of(self.folder, DEFAULT_CLASSES, {}, screened_images(work), screenings_of)
        return {records.modality: records for records in found}

    def monitoring(self, **options: object) -> Monitoring:
        """Everything that monitoring tells."""
        return monitoring_of_folder(
            self.folder, DEFAULT_CLASSES, {}, MonitoringOptions(**options), "studies folder clinic"
        )


def simulated(
    folder: Path, cases: int = 160, seed: int = 3, shift: bool = False, skill: float = 0.95, late_skill: float = 0.95
) -> Clinic:
    """CTs that come one a day and are read by two readers in turn; the last third may be of another protocol.

    Args:
        folder: of the studies.
        cases: how many.
        seed: of chance.
        shift: whether the last third has thin slices and smaller lungs.
        skill: how often the model is right, at first.
        late_skill: how often it is right in the last third.
    """
    chance, clinic = np.random.default_rng(seed), Clinic.at(folder)
    for number in range(cases):
        case_id, is_late = f"case-{number:03d}", number >= 2 * cases // 3
        infected = bool(chance.random() < 0.5)
        is_right = chance.random() < (late_skill if is_late else skill)
        found = infected if is_right else not infected
        evidence = [region(f"r{i}", INFECTED, 0.9, float(chance.uniform(5, 60))) for i in range(1, 3)] if found else []
        noise = [region("r3", "irrelevant", float(chance.uniform(0.3, 0.8)), 0.05)]
        image = {
            "size": (512, 512, int(chance.integers(200, 320) if shift and is_late else chance.integers(50, 75))),
            "spacing_mm": (float(chance.normal(0.72, 0.05)),) * 2 + (1.25 if shift and is_late else 5.0,),
        }
        case = scan(case_id, (*evidence, *noise), **image)
        volume = float(chance.normal(4600.0, 700.0)) - 900.0 * (shift and is_late)
        halves = {"left": LungInfo(0.46 * volume, 0.0), "right": LungInfo(0.54 * volume, 0.0)}
        case = clinic.screen(replace(case, lungs=halves).with_verdict(), number)
        reader = ("dr-ann", "dr-bob")[number % 2]
        marked = read(case, reader, INFECTED if infected else CLEAR, shown=bool(number % 5))
        if not is_right and found and chance.random() < 0.4:
            marked = replace(marked, regions=marked.regions[1:])
        clinic.submit(marked, reader, number + 0.5)
    return clinic

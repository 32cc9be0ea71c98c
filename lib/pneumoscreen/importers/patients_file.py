"""``patients.csv`` of a studies folder as an import keeps it: rows that stand there stay as they are."""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

from ..images.dicom_header import patient_key
from ..models.atomic_files import replace_durably
from ..studies.patients import PATIENTS_FILE, read_patients
from .found import MarksError


@dataclass
class PatientsFile:
    """The list of patients.

    Attributes:
        path: the file.
        keys: keys of patients by case.
        text: what stands in it.
    """

    path: Path
    keys: dict[str, str]
    text: str = field(repr=False)

    @classmethod
    def read(cls, studies: Path) -> "PatientsFile":
        """The list of a studies folder; an empty one where there is none.

        Raises:
            PneumoScreenError: if it cannot be used.
        """
        path = studies / PATIENTS_FILE
        keys = read_patients(studies)
        return cls(path, keys, path.read_text(encoding="utf-8-sig") if path.is_file() else "case,patient\n")

    def check(self, case_id: str, patient: str) -> None:
        """See that a case is not another patient's.

        Raises:
            MarksError: if it is.
        """
        if patient and self.keys.get(case_id, patient_key(patient)) != patient_key(patient):
            raise MarksError(f"{self.path} gives case {case_id} to another patient; correct one of the two")

    def add(self, case_id: str, patient: str) -> None:
        """Add a case where it is not listed yet.

        Raises:
            OSError: if it cannot be written.
        """
        if case_id in self.keys:
            return
        header = self.text.splitlines()[0]
        delimiter = ";" if ";" in header else ","
        names = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter))]
        line = io.StringIO()
        writer = csv.DictWriter(line, names, delimiter=delimiter, lineterminator="\n")
        writer.writerow({"case": case_id, "patient": patient})
        self.text = f"{self.text.rstrip()}\n{line.getvalue()}"
        self.keys[case_id] = patient_key(patient)
        replace_durably(self.path, self.text.encode())

"""Nothing that is planted in any field is in any file that an anonymous export writes."""

import copy
import gzip
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import SimpleITK as sitk
from scripts.phantom_files import write_ct, write_xray
from tests.case_documents import CONTRACT, RADIOGRAPH

from pneumoscreen.case import Case
from pneumoscreen.ct.phantoms.phantom import PhantomSpec, generate_phantom
from pneumoscreen.ct.phantoms.studies import truth_document
from pneumoscreen.cxr.phantoms.radiograph import RadiographSpec, generate_radiograph
from pneumoscreen.cxr.phantoms.studies import radiograph_document
from pneumoscreen.exports.anonymous import Names
from pneumoscreen.exports.found import Result
from pneumoscreen.methods import networks
from pneumoscreen.models.store import ModelStore
from pneumoscreen.studies.annotations import AnnotationStore
from pneumoscreen.studies.keyed_names import key_of
from pneumoscreen.studies.layout import FINAL_LABELS, LESION_MASKS, LUNG_MASKS

from .conftest import Run
from .test_table import rows, written

NAME = "Erika^Mustermann"
# The year stands alone or before a month: four figures also occur within digests and UIDs made at random.
PLANTED = re.compile(
    rb"mustermann|erika|2\.25\.4711|(?<![0-9a-z.])1963(?![0-9a-z])|1963-?07|2024-0[37]|20240307", re.IGNORECASE
)
DATE = "2024-03-07T10:00:00Z"


def planted(document: dict[str, Any], number: int) -> dict[str, Any]:
    """A document whose every field that holds free text names a patient, a date or a UID."""
    found = copy.deepcopy(document)
    found |= {
        "case_id": f"Mustermann_Erika_1963_{number}",
        "notes": [f"{NAME} born 1963-07-01", "read from /home/erika/2024-03"],
        "models": {**found["models"], NAME: {"version": 1, "sha256": f"{NAME}"}},
        "timings_s": {NAME: 1.0},
    }
    if "ct_classifier" in found["models"]:
        found["models"]["ct_classifier"] = {"version": 5, "sha256": NAME}
    found["image"] |= {
        "sha256": f"mustermann{number}", "source": "erika/1963.nii.gz", "series_uid": f"2.25.4711.{number}",
        "study_uid": f"2.25.4711.9{number}",
    }  # fmt: skip
    for region in found.get("regions", ()):
        region |= {"id": f"{NAME} 1963", "reader": {"label": "covid19", "name": NAME, "at": DATE}}
    if found["verdict"] and found["verdict"]["infection"]:
        found["verdict"]["infection"]["calibrated_on"] = f"scans of {NAME}"
    if "cxr" in found:
        found["cxr"]["reader"] = {"label": "cap", "location": "left", "name": NAME, "at": DATE, "said": f"{NAME} 1963"}
        found["cxr"]["severity"] = {NAME: 1.0, "left_upper": 2.0}
    return found


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """All names and all bytes below a folder; what is compressed as it is and unpacked."""
    for path in folder.rglob("*"):
        yield "a name", path.relative_to(folder).as_posix().encode()
        if path.is_file():
            content = path.read_bytes()
            yield path.name, content
            if path.suffix == ".gz":
                yield path.name, gzip.decompress(content)


def search(folder: Path) -> list[tuple[str, bytes]]:
    return [(name, found[0]) for name, content in contents(folder) if (found := PLANTED.search(content))]


def test_the_tables_and_bundles_of_results(export: Run, tmp_path: Path) -> None:
    source = written(tmp_path / "erika_1963", planted(CONTRACT, 1), planted(RADIOGRAPH, 2))
    for kind in ("csv", "fhir"):
        ended = export(kind, source, "--out", tmp_path / kind, "--anonymous")
        assert ended.status == 0 and search(tmp_path / kind) == []
        assert export(kind, source, "--out", tmp_path / f"{kind}_named").status == 0
        assert search(tmp_path / f"{kind}_named"), "the search finds what is there"
    ct, film = rows(tmp_path / "csv" / "cases.csv")
    assert [ct["verdict"], ct["regions"], ct["date"], film["reader_label"], film["location"]] == [
        "covid19", "1", "", "cap", "left"
    ]  # fmt: skip
    assert ct["models"] == "ct_candidates 3 ; ct_classifier 5 "
    assert re.fullmatch("case-[0-9a-f]{12}", ct["case_id"]) and re.fullmatch("reader-[0-9a-f]{12}", ct["reader"])
    assert re.fullmatch(r"2\.25\.\d+", ct["study_uid"]) and ct["study_uid"] != film["study_uid"]
    assert "Calibrated on not told." in (tmp_path / "fhir" / f"{ct['case_id']}.json").read_text(encoding="utf-8")


def test_the_same_folder_gives_the_same_names_and_another_one_others(export: Run, tmp_path: Path) -> None:
    source = written(tmp_path / "one", planted(CONTRACT, 1))
    other = written(tmp_path / "other", planted(CONTRACT, 1))
    for place, folder in enumerate((source, source, other)):
        export("csv", folder, "--out", tmp_path / str(place), "--anonymous")
    first, second, third = (rows(tmp_path / str(place) / "cases.csv")[0] for place in range(3))
    assert first == second
    for column in ("case_id", "patient", "reader", "image_sha256", "study_uid"):
        assert first[column] != third[column], column


def test_annotated_cases(export: Run, studies: Path, tmp_path: Path) -> None:
    store = AnnotationStore(studies)
    folder = tmp_path / "erika_1963"
    for place, case_id in enumerate(store.cases()):
        (image,) = (path for path in studies.iterdir() if path.name.startswith(f"{case_id}."))
        name = f"Mustermann-{place}"
        ending = image.name.removeprefix(case_id)
        document = json.loads((studies / "labels" / "final" / f"{case_id}.json").read_text(encoding="utf-8"))
        regions = document.get("regions")
        document = planted(document, place)
        document["case_id"] = name
        if regions:
            document["regions"] = [
                {**region, "reader": {**region["reader"], "name": NAME, "at": DATE}} for region in regions
            ]
        for part in ("labels/final", "labels/lesions", "labels/lungs"):
            (folder / part).mkdir(parents=True, exist_ok=True)
            if part != "labels/final" and ending == ".nii.gz":
                shutil.copy(studies / part / image.name, folder / part / f"{name}{ending}")
        (folder / "labels" / "final" / f"{name}.json").write_text(json.dumps(document))
        shutil.copy(image, folder / f"{name}{ending}")
    (folder / "patients.csv").write_text(f"case,patient\nMustermann-0,{NAME}\n")
    for kind in ("coco", "nnunet", "csv", "fhir"):
        ended = export(kind, folder, "--out", tmp_path / kind, "--anonymous")
        assert ended.status == 0, ended.err
        assert search(tmp_path / kind) == [], kind


def test_dicom_files_whose_headers_name_the_patient(export: Run, tmp_path: Path) -> None:
    folder, headers = tmp_path / "studies", {
        "PatientName": NAME, "PatientID": "2.25.4711", "PatientBirthDate": "19630701", "StudyDate": "20240307",
        "AccessionNumber": "Erika 1", "StudyDescription": NAME, "InstitutionName": NAME,
    }  # fmt: skip
    for part in (FINAL_LABELS, LESION_MASKS, LUNG_MASKS):
        (folder / part).mkdir(parents=True)
    phantom = generate_phantom(1, "covid19", PhantomSpec(matrix=64, slices=20))
    film = generate_radiograph(1, "cap", RadiographSpec(size=128))
    write_ct(phantom.volume, folder / "Mustermann", **headers)
    write_xray(film.radiograph, folder / "Erika.dcm", **headers)
    for part, mask in ((LESION_MASKS, phantom.infection), (LUNG_MASKS, phantom.lungs)):
        sitk.WriteImage(phantom.volume.to_sitk(mask), folder / part / "Mustermann.nii.gz")
    uids = {"series_uid": "2.25.4711.1", "study_uid": "2.25.4711.2", "source": "Mustermann/0000.dcm"}
    documents = {"Mustermann": truth_document(phantom), "Erika": radiograph_document(film, "0" * 64)}
    for name, case in documents.items():
        case = replace(case, case_id=name, image=replace(case.image, **uids))
        (folder / FINAL_LABELS / f"{name}.json").write_text(case.to_json(), encoding="utf-8")
    for kind in ("coco", "nnunet", "csv", "fhir"):
        ended = export(kind, folder, "--out", tmp_path / kind, "--anonymous")
        assert (ended.status, search(tmp_path / kind)) == (0, []), ended.err
    assert len(list(tmp_path.glob("nnunet/*/images*/*"))) == len(list(tmp_path.glob("coco/images/*"))) == 1
    patients = {row["patient"] for row in rows(tmp_path / "csv" / "cases.csv")}
    assert len(patients) == 1, "the header says that both are of one patient"
    (ct,) = (path for path in (tmp_path / "fhir").iterdir() if '"CT"' in path.read_text(encoding="utf-8"))
    study = next(
        e["resource"] for e in json.loads(ct.read_text(encoding="utf-8"))["entry"] if "series" in e["resource"]
    )
    assert re.fullmatch(r"2\.25\.\d+", study["series"][0]["uid"]) and study["resourceType"] == "ImagingStudy"


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A store whose networks' cards name a patient, a folder and dates wherever they may."""
    root, ours = tmp_path / "models", ModelStore()
    for name in ("ct_classifier", "cxr_lung_boxes"):
        weights = ours.load(name)
        card = {
            **weights.card, "data": f"1 case of studies folder {NAME}", "command": "train --studies /home/erika/1963",
            "figures": {"cases": {NAME: 1}}, "runs": [DATE], "remark": NAME,
        }  # fmt: skip
        if card["network"].get("infection"):
            card["network"] = {**card["network"], "infection": {"intercept": 0, "slope": 1, "calibrated_on": NAME}}
        ModelStore(root).publish(name, weights.state, card)
    return root


def test_bundles_of_networks(export: Run, trained: Path, tmp_path: Path) -> None:
    ended = export("bundle", "--out", tmp_path / "out", "--anonymous", "--model-dir", trained)
    assert ended.status == 0 and search(tmp_path / "out") == []
    for name in ("ct_classifier", "cxr_lung_boxes"):
        card = json.loads((tmp_path / "out" / name / "models" / "card.json").read_text(encoding="utf-8"))
        assert card["sha256"] == ModelStore(trained).load(name).sha256 and "created" not in card
        assert card["licence"] == "Apache-2.0"
    export("bundle", "--out", tmp_path / "named", "--model-dir", trained)
    assert search(tmp_path / "named"), "the search finds what is there"


def test_numbers_and_labels_stay(tmp_path: Path) -> None:
    case = Case.from_dict(planted(CONTRACT, 1))
    names = Names(key_of(tmp_path), is_anonymous=True, networks=networks())
    found = names.result(Result(case, "patient", DATE, NAME, 3, "reader")).case
    assert found.lungs == case.lungs
    assert [replace(r, id="", reader=None) for r in found.regions] == [
        replace(r, id="", reader=None) for r in case.regions
    ]
    assert [region.reader.label for region in found.regions] == ["covid19"]
    assert found.verdict.probability == case.verdict.probability and found.image.size == case.image.size

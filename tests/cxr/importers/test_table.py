"""A table of chest X-rays: boxes, sides and patients as the training reads them; left is the patient's left."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pneumoscreen.case import Case
from pneumoscreen.commands.import_ import pick_layout
from pneumoscreen.cxr.figures.cases import load_truth
from pneumoscreen.cxr.importers.run import import_radiographs
from pneumoscreen.cxr.importers.table import NAME, Row
from pneumoscreen.cxr.lung_boxes import LungBoxModel, LungBoxSettings
from pneumoscreen.cxr.phantoms.radiograph import LABELS, RadiographSpec, generate_radiograph
from pneumoscreen.cxr.truth import LabelledRadiograph, load_radiograph
from pneumoscreen.importers.found import ImportSettings, Remark, SourceError
from pneumoscreen.importers.outcomes import Action, Outcome
from pneumoscreen.models.store import ModelStore
from pneumoscreen.studies.annotations import AnnotationStore
from pneumoscreen.studies.cases import Study, find_studies

HEADER = "path,patient,diagnosis,source,left_lung_box,right_lung_box,location,opacity_left,opacity_right,mask"
LEFT, RIGHT = "55.5 10 30 60", "10 20 35 40"
"""The left lung of the patient lies on the right of the picture."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures, two of them of one name, and the mask of the first; not to be changed."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "more").mkdir()
    for number, name in enumerate(("a.png", "b.png", "c.png", "more/a.png")):
        phantom = generate_radiograph(60 + number, None, RadiographSpec(size=96))
        Image.fromarray(np.rint(phantom.radiograph.pixels * 255).astype(np.uint8)).save(folder / name)
        if not number:
            bits = np.zeros(phantom.lungs.shape, np.uint8)
            for side, bit in (("left", 1), ("right", 2)):
                bits |= np.where(phantom.lungs == LABELS[side], bit, 0).astype(np.uint8)
            Image.fromarray(bits | 4).save(folder / "more" / "mask.bmp")
    return folder


def bring(
    pictures: Path, tmp_path: Path, *rows: str, header: str = HEADER, store: Path | None = None, **ways: bool
) -> tuple[Path, list[Outcome], list[str]]:
    source = tmp_path / "source"
    source.mkdir(exist_ok=True)
    for path in pictures.rglob("*.*"):
        target = source / path.relative_to(pictures)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    (source / "index.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    assert pick_layout("auto", source, source)[1].name == NAME
    studies = tmp_path / "studies"
    found = list(
        import_radiographs(
            source, source, studies, ImportSettings(), store=ModelStore(store or tmp_path / "no-models"), **ways
        )
    )
    outcomes = [each for each in found if isinstance(each, Outcome)]
    return studies, outcomes, [each.sentence for each in found if isinstance(each, Remark)]


def studies_of(folder: Path) -> dict[str, Study]:
    return {study.case_id: study for study in find_studies(folder, modality="CXR")}


def load(folder: Path, case_id: str) -> LabelledRadiograph:
    return load_radiograph(studies_of(folder)[case_id])


def test_an_asymmetric_case_keeps_its_sides(pictures: Path, tmp_path: Path) -> None:
    rows = [
        f"a.png,Miller,covid19,hospital,{LEFT},{RIGHT},left,,,",
        f"b.png,Smith,covid19,,{LEFT},{RIGHT},,0.005,0.4,",
        "c.png,Smith,healthy,,,,,,,",
    ]
    studies, outcomes, remarks = bring(pictures, tmp_path, *rows)
    assert [outcome.action for outcome in outcomes] == [Action.IMPORTED] * 3
    a, b, c = (load(studies, name) for name in "abc")
    assert a.lung_boxes == {"left": (55.5, 10.0, 30.0, 60.0), "right": (10.0, 20.0, 35.0, 40.0)}
    assert a.sides == {"left": True, "right": False}
    assert b.sides == {"left": False, "right": True}  # .005 of a lung is less than .01
    assert (c.label, c.lung_boxes, c.sides) == ("healthy", {}, {})
    assert a.patient != b.patient == c.patient
    assert not any(name in a.patient for name in ("Miller", "Smith"))
    assert "come in without" in remarks[0]
    case = Case.from_json((studies / "labels" / "final" / "a.json").read_text(encoding="utf-8"))
    assert case.cxr is not None and case.cxr.reader is not None
    assert (case.cxr.reader["name"], case.cxr.location) == ("import", "left")
    assert any("index.csv, source hospital" in note for note in case.notes)


def test_boxes_of_a_mask(pictures: Path, tmp_path: Path) -> None:
    studies, outcomes, _ = bring(pictures, tmp_path, "a.png,1,covid19,,,,,,,more/mask.bmp")
    assert outcomes[0].action is Action.IMPORTED
    truth = generate_radiograph(60, None, RadiographSpec(size=96)).lung_boxes
    assert load(studies, "a").lung_boxes == {side: tuple(map(float, box)) for side, box in truth.items()}


def test_a_second_import_changes_nothing_and_a_corrected_one_updates(pictures: Path, tmp_path: Path) -> None:
    row = f"a.png,1,covid19,,{LEFT},{RIGHT},"
    bring(pictures, tmp_path, row + "left,,,")
    _, again, _ = bring(pictures, tmp_path, row + "left,,,")
    assert again[0].action is Action.UNCHANGED
    studies, other, _ = bring(pictures, tmp_path, row + "right,,,", "b.png,2,cap,,,,,,,")
    assert [outcome.action for outcome in other] == [Action.UPDATED, Action.IMPORTED]
    assert load(studies, "a").sides == {"left": False, "right": True}
    _, moved, _ = bring(pictures, tmp_path, "a.png,9,covid19,,,,,,,")
    assert moved[0].action is Action.REFUSED and "another patient" in str(moved[0].reason)


def source_of(studies: Path, case_id: str) -> str | None:
    (version,) = AnnotationStore(studies).versions(case_id)
    return version.document.image.source


def test_pictures_of_one_name_and_anonymous_names(pictures: Path, tmp_path: Path) -> None:
    rows = ("a.png,Miller,cap,,,,,,,", "more/a.png,Miller,,,,,,,,")
    studies, outcomes, _ = bring(pictures, tmp_path, *rows)
    assert [(outcome.case_id, outcome.action) for outcome in outcomes] == [
        ("a", Action.IMPORTED),
        ("more_a", Action.IMAGE_ONLY),
    ]
    assert source_of(studies, "a") == "a.png"
    (tmp_path / "other").mkdir()
    studies, outcomes, _ = bring(pictures, tmp_path / "other", *rows, anonymous_ids=True)
    assert all(outcome.case_id.startswith("case_") for outcome in outcomes)
    assert "Miller" not in (studies / "patients.csv").read_text(encoding="utf-8")
    assert len(str(source_of(studies, outcomes[0].case_id))) == 12


def test_a_dry_run_writes_nothing(pictures: Path, tmp_path: Path) -> None:
    studies, outcomes, _ = bring(pictures, tmp_path, "a.png,1,cap,,,,,,,", dry_run=True)
    assert outcomes[0].action is Action.IMPORTED and not studies.exists()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (f"a.png,1,covid19,,{RIGHT},{LEFT},,,,", "exchange the two boxes"),
        (f"a.png,1,covid19,,{LEFT},10 20 35,,,,", "right_lung_box '10 20 35'"),
        (f"a.png,1,covid19,,900 10 30 60,{RIGHT},,,,", "left lung leaves the picture"),
        ("a.png,1,flu,,,,,,,", "diagnosis 'flu'"),
        ("a.png,1,covid19,,,,upper,,,", "location 'upper'"),
        ("a.png,1,covid19,,,,,x,0.2,", "opacity_left 'x'"),
        ("gone.png,1,covid19,,,,,,,", "does not exist"),
        ("a.png,1,covid19,,,,,,,gone.png", "mask"),
    ],
)
def test_rows_that_cannot_be_right_are_refused(row: str, said: str, pictures: Path, tmp_path: Path) -> None:
    _, outcomes, _ = bring(pictures, tmp_path, row, "b.png,2,cap,,,,,,,")
    assert [outcome.action for outcome in outcomes] == [Action.REFUSED, Action.IMPORTED]
    assert said in str(outcomes[0].reason)


def test_the_network_finds_boxes_that_are_no_truth(pictures: Path, tmp_path: Path) -> None:
    model = LungBoxModel.untrained(LungBoxSettings(size=32, stages=(8, 8), features=8))
    card = {"data": "none", "seed": 0, "command": "test", "figures": {}, "licence": "Apache-2.0"}
    ModelStore(tmp_path / "models").publish("cxr_lung_boxes", model.state(), {**card, "network": model.card_network()})
    studies, _, remarks = bring(pictures, tmp_path, "a.png,1,cap,,,,,,,", store=tmp_path / "models")
    assert not remarks
    assert set(load(studies, "a").lung_boxes) == {"left", "right"}
    assert load_truth(studies_of(studies)["a"]).lung_boxes == {}


def test_brixia_scores_count_where_nothing_else_is_said() -> None:
    row = Row(Path("t.csv"), 2, {"brixia_left": "0", "brixia_right": "2.5"})
    assert row.sides() == {"left": False, "right": True}
    assert Row(Path("t.csv"), 2, {"brixia_left": "3"}).sides() is None


def test_a_folder_without_a_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("path,patient\n", encoding="utf-8")
    with pytest.raises(SourceError, match="path, patient and diagnosis"):
        list(import_radiographs(tmp_path, tmp_path, tmp_path / "s", ImportSettings(), store=ModelStore(tmp_path)))


def test_three_long_names_that_begin_alike_stay_apart(pictures: Path, tmp_path: Path) -> None:
    source = tmp_path / "long"
    source.mkdir()
    names = [f"{'x' * 90}{ending}.png" for ending in "abc"]
    for name, own in zip(names, ("a.png", "b.png", "c.png"), strict=True):
        (source / name).write_bytes((pictures / own).read_bytes())
    _, outcomes, _ = bring(source, tmp_path, *(f"{name},p,cap,,,,,,," for name in names))
    assert [outcome.action for outcome in outcomes] == [Action.IMPORTED] * 3
    assert len({outcome.case_id for outcome in outcomes}) == 3

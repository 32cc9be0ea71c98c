"""``pneumoscreen evaluate`` on phantoms and on labelled studies: text, JSON and page, and what it refuses."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pneumoscreen.ct.classifier import MODEL_NAME, ClassifierModel
from pneumoscreen.ct.phantoms.phantom import PhantomSpec
from pneumoscreen.ct.phantoms.studies import write_studies
from pneumoscreen.models.store import ModelStore
from pneumoscreen.studies.layout import FINAL_LABELS, LESION_MASKS
from pneumoscreen.studies.split import Side, side_of

FILES = ("evaluation.json", "evaluation.txt", "evaluation.html")
SPEC = PhantomSpec(matrix=64, slices=20)


def name_of(seed: int) -> str:
    return f"phantom-{seed:06d}"


def seeds_of(side: Side) -> Iterator[int]:
    return (seed for seed in range(1, 1000) if side_of(name_of(seed)) is side)


@pytest.fixture(scope="module")
def split_studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two infected cases on the validation side and two on the test side; not to be changed."""
    folder = tmp_path_factory.mktemp("split")
    for side in (Side.VALIDATION, Side.TEST):
        seeds = seeds_of(side)
        for diagnosis in ("covid19", "influenza_a"):
            write_studies(folder, 1, next(seeds), SPEC, diagnosis=diagnosis)
    return folder


@pytest.mark.parametrize("cases", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_phantoms_are_evaluated_without_studies(cases: int, run: Any, narrow_models: Path, tmp_path: Path) -> None:
    words = ["evaluate", "--out", tmp_path / "figures", "--cases", cases, "--model-dir", narrow_models, "--json"]
    ended = run(*words)
    assert ended.status == 0, ended.err
    assert ended.out == (tmp_path / "figures" / "evaluation.json").read_text(encoding="utf-8")
    document = json.loads(ended.out)
    assert len(document["outcomes"]) == cases
    assert document["population"]["side"] is None
    assert [line.split()[0] for line in ended.err.splitlines()] == [f"{n}/{cases}" for n in range(1, cases + 1)]
    text = (tmp_path / "figures" / "evaluation.txt").read_text(encoding="utf-8")
    for word in ("lesion recall", "M2 - M1 mean f1", "case accuracy", "Calibration"):
        assert word in text
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [*sorted(FILES), "outcomes"]


def test_the_test_side_is_evaluated_and_a_second_run_screens_nothing(
    run: Any, split_studies: Path, narrow_models: Path, tmp_path: Path
) -> None:
    words = ["evaluate", "--studies", split_studies, "--out", tmp_path, "--model-dir", narrow_models]
    first = run(*words)
    assert first.status == 0, first.err
    seeds = seeds_of(Side.TEST)
    expected = sorted(name_of(next(seeds)) for _ in range(2))
    document = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert [outcome["case_id"] for outcome in document["outcomes"]] == expected
    assert document["population"]["side"] == "test"
    assert document["population"]["patients"] == 2
    assert document["population"]["models"][MODEL_NAME]["version"] == 1
    again = run(*words)
    assert again.out == first.out  # times included: they are those of the first run
    assert json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8")) == document
    assert "On whom this was measured" in (tmp_path / "evaluation.html").read_text(encoding="utf-8")


def test_calibration_is_fitted_on_validation_published_and_used(
    run: Any, split_studies: Path, narrow_models: Path, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    shutil.copytree(narrow_models, models)
    words = ["evaluate", "--studies", split_studies, "--model-dir", models, "--json"]
    ended = run(*words, "--out", tmp_path / "out", "--calibrate")
    assert ended.status == 0, ended.err
    assert [line.split("/")[0] for line in ended.err.splitlines()[:4]] == ["validation 1", "validation 2", "1", "2"]
    assert f"{MODEL_NAME} version 2 published" in ended.err
    document = json.loads(ended.out)
    newest = ModelStore(models).load(MODEL_NAME)
    stored = ClassifierModel.load(newest).settings.temperatures
    assert newest.version == document["population"]["models"][MODEL_NAME]["version"] == 2
    assert document["temperatures"] == stored
    assert stored["m2"] != 1.0
    assert newest.card["calibration"]["validation_patients"] == 2
    assert newest.card["calibration"]["split"] == {"validation": 0.15, "test": 0.15}
    assert "0.15 of the patients validate, 0.15 test" in document["population"]["source"]
    assert {at["temperature"] for at in document["calibration"]["figures"] if at["head"] == "m2"} == {1.0, stored["m2"]}
    # The published version gives the figures that were reported for it.
    later = json.loads(run(*words, "--out", tmp_path / "later").out)
    for block in ("patches", "regions", "cases", "verdicts", "calibration", "temperatures"):
        assert later[block] == document[block]


def test_boxes_without_masks_are_evaluated_too(run: Any, studies: Path, narrow_models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "studies"
    (folder / FINAL_LABELS).mkdir(parents=True)
    for scan in sorted(studies.glob("*.nii.gz"))[:1]:
        shutil.copy(scan, folder)
        shutil.copy(studies / FINAL_LABELS / f"{scan.name.removesuffix('.nii.gz')}.json", folder / FINAL_LABELS)
        # The phantom's lungs are so small that only its own mask shows them.
        (folder / "labels" / "lungs").mkdir()
        shutil.copy(studies / "labels" / "lungs" / scan.name, folder / "labels" / "lungs")
    assert not (folder / LESION_MASKS).exists()
    ended = run("evaluate", "--studies", folder, "--side", "all", "--out", tmp_path / "o", "--model-dir", narrow_models)
    assert ended.status == 0, ended.err
    assert "studies folder studies" in ended.out


def test_a_damaged_label_is_named_and_left_out(
    run: Any, split_studies: Path, narrow_models: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "studies"
    shutil.copytree(split_studies, folder)
    seeds = seeds_of(Side.TEST)
    damaged, good = (folder / FINAL_LABELS / f"{name_of(next(seeds))}.json" for _ in range(2))
    damaged.write_text("{", encoding="utf-8")
    words = ["evaluate", "--studies", folder, "--out", tmp_path / "out", "--model-dir", narrow_models]
    ended = run(*words)
    assert ended.status == 0, ended.err
    assert f"{damaged.stem}: left out:" in ended.err
    assert f"left out: {damaged.stem}" in ended.out
    good.write_text("[]", encoding="utf-8")
    ended = run(*words)
    assert (ended.status, ended.out) == (2, "")
    assert "no case of the cohort could be screened" in ended.err.splitlines()[-1]


def test_an_empty_side_costs_one_line(run: Any, narrow_models: Path, tmp_path: Path) -> None:
    write_studies(tmp_path / "studies", 1, next(seeds_of(Side.TRAINING)), SPEC)
    words = ["evaluate", "--studies", tmp_path / "studies", "--out", tmp_path / "out", "--model-dir", narrow_models]
    for more, side in ((["--side", "validation"], "validation"), ([], "test"), (["--calibrate"], "test")):
        ended = run(*words, *more)
        assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert f"none of its 1 labelled cases is on the {side} side" in ended.err
        assert "training 1, validation 0, test 0" in ended.err
        assert "--side" in ended.err


def test_without_models_it_costs_one_line(run: Any, tmp_path: Path) -> None:
    ended = run("evaluate", "--out", tmp_path / "figures", "--cases", 1, "--model-dir", tmp_path / "absent")
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "absent" in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--side", "test"], "--side needs --studies"),
        (["--calibrate"], "--calibrate needs --studies"),
        (["--studies", "{studies}", "--cases", "3"], "--cases is for phantoms"),
        (["--studies", "{studies}", "--seed", "3"], "--seed is for phantoms"),
        (["--studies", "{studies}", "--calibrate", "--side", "training"], "leave out --side training"),
        (["--studies", "{absent}"], "absent is not a folder"),
        (["--studies", "{empty}"], "no labelled scan"),
        (["--studies", "{studies}", "--side", "tests"], "'tests' is not one of"),
    ],
)
def test_bad_options_cost_one_line(
    words: list[str], said: str, run: Any, studies: Path, narrow_models: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"studies": studies, "absent": tmp_path / "absent", "empty": tmp_path / "empty"}
    given = [word.format(**places) for word in words]
    ended = run("evaluate", "--out", tmp_path / "out", "--model-dir", narrow_models, *given)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert said in ended.err


def test_an_output_folder_that_is_a_file_costs_one_line(run: Any, narrow_models: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = run("evaluate", "--out", tmp_path / "file", "--cases", 1, "--model-dir", narrow_models)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "file" in ended.err

"""Nobody else's result: two runs into one folder, what documents say of their source, and what is passed over."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import SimpleITK as sitk

from pneumoscreen.case import Case
from pneumoscreen.commands.screen_results import LeftOut, Shown
from pneumoscreen.ct.classifier import ClassifierModel, ClassifierSettings, ClassSettings
from pneumoscreen.cxr.phantoms.radiograph import RadiographSpec, generate_radiograph
from pneumoscreen.cxr.phantoms.studies import write_picture
from pneumoscreen.models.store import ModelStore

from .conftest import Ended

Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def scan(studies: Path) -> Path:
    return studies / "phantom-000001.nii.gz"


def put(scan: Path, *targets: Path) -> None:
    """Other scans of the same names: a voxel of each is another one."""
    image = sitk.ReadImage(str(scan))
    for number, target in enumerate(targets):
        image[0, 0, 0] = -1000 + number
        target.parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(image, str(target))


def test_the_table_of_all_cases_knows_a_sites_own_classes(
    run: Run, narrow_models: Path, scan: Path, tmp_path: Path
) -> None:
    models, out = tmp_path / "models", tmp_path / "out"
    shutil.copytree(narrow_models, models)
    own = ClassSettings(infections=("rsv", "measles"), irrelevant="other", none_found="clear")
    model = ClassifierModel.untrained(ClassifierSettings(widths=(8, 8, 8, 8), features=16, classes=own))
    card = ModelStore(models).load("ct_classifier").card
    card = {key: card[key] for key in ("data", "seed", "command", "figures", "licence")}
    ModelStore(models).publish("ct_classifier", model.state(), {**card, "network": model.card_network()})
    ended = run("screen", scan, "--out", out, "--model-dir", models, "--json", "--index")
    (entry,) = json.loads(ended.out)
    key = {"rsv": "type-0", "measles": "type-1", "clear": "none"}[entry["verdict"]] if entry["decided"] else "unknown"
    table = (out / "index.html").read_text(encoding="utf-8")
    assert f'<span class="chip {key}">' in table
    assert "Noisy-OR of Rsv (upper bar) and Measles (lower bar)" in table


def documents(out: Path) -> dict[str, Case]:
    cases = [Case.from_json(path.read_text(encoding="utf-8")) for path in sorted(out.glob("*.json"))]
    return {case.case_id: case for case in cases}


def test_two_runs_into_one_folder_keep_both_results(run: Run, narrow_models: Path, scan: Path, tmp_path: Path) -> None:
    put(scan, tmp_path / "in" / "patA" / "SE1" / "IM1.nii.gz", tmp_path / "in" / "patB" / "SE1" / "IM1.nii.gz")
    out = tmp_path / "out"
    entries: list[dict[str, Any]] = []
    for patient in ("patA", "patB", "patA"):
        ended = run("screen", tmp_path / "in" / patient, "--out", out, "--model-dir", narrow_models, "--json")
        assert ended.status == 0, ended.err
        entries += json.loads(ended.out)
    first, second, again = entries
    found = documents(out)
    assert first["case_id"] == again["case_id"] != second["case_id"]
    assert set(found) == {first["case_id"], second["case_id"]}
    assert [name[:5] for name in sorted(found)] == ["patA_", "patB_"]
    for entry in entries:
        assert entry["source"] == found[entry["case_id"]].image.source == "SE1/IM1.nii.gz"
        assert entry["case_id"] in (out / f"{entry['case_id']}.html").read_text(encoding="utf-8")
        assert "SE1/IM1.nii.gz" in (out / f"{entry['case_id']}.html").read_text(encoding="utf-8")


def test_what_is_passed_over_is_named_everywhere_and_costs_no_status(
    run: Run, narrow_models: Path, scan: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    put(scan, folder / "scan.nii.gz")
    for name in ("shot1.png", "shot2.png", "more.zip"):
        (folder / name).write_bytes(b"some content")
    words = ("--out", tmp_path / "out", "--model-dir", narrow_models, "--json", "--index")
    ended = run("screen", folder, *words)
    assert ended.status == 0
    case, *left_out = json.loads(ended.out)
    assert case["source"] == "scan.nii.gz"
    assert {Path(entry["passed_over"]).name for entry in left_out} == {"shot1.png", "shot2.png", "more.zip"}
    assert all(entry["reason"].startswith(entry["passed_over"]) for entry in left_out)
    lines = [line for line in ended.refusals() if "passed over" in line]
    assert len(lines) == 2
    assert sum("2 files (shot1.png, shot2.png) each of which is a picture beside a CT" in line for line in lines) == 1
    index = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert index.count("shot1.png is a picture beside a CT") == 1
    assert "more.zip is of no kind that is read" in index
    assert len(documents(tmp_path / "out")) == 1


def test_with_anonymous_ids_no_result_holds_a_path(run: Run, narrow_models: Path, scan: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Meier"
    put(scan, folder / "Huber" / "scan.nii.gz")
    (folder / "Schmidt.nii.gz").write_bytes(b"junk")
    (folder / "Huber" / "Bauer.png").write_bytes(b"junk")
    words = ("--out", tmp_path / "out", "--model-dir", narrow_models, "--json", "--index", "--anonymous-ids")
    ended = run("screen", folder, *words)
    assert ended.status == 2
    refused, case, left_out = sorted(json.loads(ended.out), key=lambda entry: sorted(entry)[-1])
    assert "error" in refused or "error" in case
    results = [ended.out, *(path.name + path.read_text(encoding="utf-8") for path in (tmp_path / "out").iterdir())]
    for word in ("Meier", "Huber", "Schmidt", "Bauer"):
        assert not any(word in text for text in results), word
        assert word in ended.err or word == "Huber"
    (document,) = documents(tmp_path / "out").values()
    assert document.image.source is not None and len(document.image.source) == 8
    assert document.case_id.startswith("case-")
    assert left_out


def test_the_names_of_files_in_a_sentence_are_left_out_with_its_path() -> None:
    sentence = "/in/Meier holds damaged DICOM files (Meier1.dcm, Meier2.dcm); copy the series again"
    shown = Shown(anonymous=True)
    said = shown.sentence(Path("/in/Meier"), sentence)
    assert said == f"{shown.name(Path('/in/Meier'))} holds damaged DICOM files; copy the series again"
    assert Shown(anonymous=False).sentence(Path("/in/Meier"), sentence) == sentence
    assert LeftOut("a", "a is b").to_dict() == {"passed_over": "a", "reason": "a is b"}


def test_a_terminal_that_cannot_write_a_name_gets_it_in_escapes(narrow_models: Path, tmp_path: Path) -> None:
    picture = tmp_path / "\u5f20\u4e09.png"
    write_picture(generate_radiograph(3, "cap", RadiographSpec(size=200)).radiograph, picture)
    command = [sys.executable, "-m", "pneumoscreen", "screen", picture, "--out", tmp_path / "out"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ended = subprocess.run(
        [*command, "--model-dir", narrow_models], capture_output=True, text=True, env=environment, check=False
    )
    assert ended.returncode == 2  # there are no networks for X-rays
    assert "Traceback" not in ended.stderr and "Error" not in ended.stderr

"""``pneumoscreen crossvalidate`` and ``evaluate --modality cxr`` with tiny networks on small phantoms."""

import json
from pathlib import Path
from typing import Any

import pytest

from pneumoscreen.case import Case
from pneumoscreen.cxr.discrimination import DiscriminationModel, DiscriminationSettings
from pneumoscreen.cxr.localization import LocalizationModel, LocalizationSettings
from pneumoscreen.cxr.lung_boxes import LungBoxModel, LungBoxSettings
from pneumoscreen.cxr.phantoms.radiograph import RadiographSpec
from pneumoscreen.cxr.phantoms.studies import write_radiograph_studies
from pneumoscreen.models.store import ModelStore
from pneumoscreen.studies.layout import FINAL_LABELS

TINY = ["--folds", 2, "--epochs", 1, "--device", "cpu"]
SMALL = ["--size", 32, "--widths", "8,8,8,8"]


@pytest.fixture(scope="module")
def xrays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 labelled phantoms of 16 patients; not to be changed."""
    folder = tmp_path_factory.mktemp("xrays")
    write_radiograph_studies(folder, 24, 5000, RadiographSpec(size=96))
    names = [path.stem for path in sorted(folder.glob("*.png"))]
    rows = [f"{name},p{i % 16}" for i, name in enumerate(names)]
    (folder / "patients.csv").write_text("case,patient\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def xray_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store with tiny untrained X-ray networks."""
    root = tmp_path_factory.mktemp("models")
    card = {"data": "none", "seed": 0, "command": "tests/commands", "figures": {}, "licence": "Apache-2.0"}
    networks = {
        "cxr_lung_boxes": LungBoxModel.untrained(LungBoxSettings(size=32, stages=(8, 8), features=8)),
        "cxr_discrimination": DiscriminationModel.untrained(
            DiscriminationSettings(size=32, widths=(8, 8, 8, 8), pyramid_channels=8)
        ),
        "cxr_localization": LocalizationModel.untrained(LocalizationSettings(widths=(8, 8))),
    }
    for name, model in networks.items():
        ModelStore(root).publish(name, model.state(), {**card, "network": model.card_network()})
    return root


def document(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "crossvalidation.json").read_text(encoding="utf-8"))
    return found


def test_every_xray_is_judged_once_and_finished_folds_are_kept(run: Any, xrays: Path, tmp_path: Path) -> None:
    words = ["crossvalidate", "--studies", xrays, "--out", tmp_path, *TINY, *SMALL]
    first = run(*words)
    assert first.status == 0, first.err
    assert "24 X-rays of 16 patients" in first.out and "test fold is never" in first.out
    [set_up] = document(tmp_path)["set_ups"]
    assert set_up["title"] == "method, lungs, by patient"
    kept = [json.loads((tmp_path / "classes" / f"fold-{n}.json").read_text(encoding="utf-8")) for n in (1, 2)]
    patients = [{each["patient"] for each in fold["outcomes"]} for fold in kept]
    assert not patients[0] & patients[1]
    assert sorted(each["case_id"] for fold in kept for each in fold["outcomes"]) == sorted(
        path.stem for path in xrays.glob("*.png")
    )
    assert not (tmp_path / "classes" / "fold-1").exists()
    assert (tmp_path / "classes" / "evaluation.html").is_file()

    (tmp_path / "classes" / "fold-2.json").unlink()
    again = run(*words)
    assert again.status == 0, again.err
    assert "fold 2/2" in again.err and "fold 1/2" not in again.err
    assert (
        json.loads((tmp_path / "classes" / "fold-2.json").read_text(encoding="utf-8"))["outcomes"]
        == kept[1]["outcomes"]
    )
    other = run(*words, "--cross-entropy")
    assert other.status == 2 and "other settings or X-rays" in other.err


def test_sides_and_boxes_are_cross_validated(run: Any, xrays: Path, tmp_path: Path) -> None:
    words = ["crossvalidate", "--studies", xrays, *TINY]
    sides = run(*words, "--out", tmp_path / "sides", "--task", "localization", "--widths", "8,8", "--no-attention")
    assert sides.status == 0, sides.err
    pooled = document(tmp_path / "sides")["set_ups"][0]
    assert pooled["pictures"] == 8  # the COVID-19 phantoms alone
    assert set(pooled["commonest_answer"]) == {"accuracy per lung", "location"}
    assert f"location {pooled['commonest_answer']['location']:.3f}" in sides.out
    page = (tmp_path / "sides" / "crossvalidation.html").read_text(encoding="utf-8")
    assert all(f"{value:.3f}" in page for value in pooled["commonest_answer"].values())
    assert {"accuracy per lung", "left lung", "right lung", "location", "AUC"} == set(pooled["pooled"])
    boxes = run(*words, "--out", tmp_path / "boxes", "--task", "lung_boxes", "--size", 32)
    assert boxes.status == 0, boxes.err
    pooled = document(tmp_path / "boxes")["set_ups"][0]
    assert pooled["pictures"] == 24 and pooled["exchanged_boxes"] is not None
    assert 0.0 <= pooled["pooled"]["overlap of the boxes"]["estimate"] <= 1.0


def test_the_audit_says_what_is_left_without_lungs(run: Any, xrays: Path, tmp_path: Path) -> None:
    words = ["crossvalidate", "--studies", xrays, "--out", tmp_path, *TINY, *SMALL, "--audit"]
    ended = run(*words)
    assert ended.status == 0, ended.err
    found = document(tmp_path)
    assert [each["name"] for each in found["set_ups"]] == [
        "method-by-patient", "method-by-image", "method-blanked", "plain-by-patient", "plain-by-image", "plain-blanked",
    ]  # fmt: skip
    assert "with the lungs blanked out, still" in ended.out
    assert len(found["differences"]) == 5 and len(found["findings"]) == 2
    page = (tmp_path / "crossvalidation.html").read_text(encoding="utf-8")
    assert "source and not the disease" in page


def test_xrays_without_boxes_need_the_network(run: Any, xray_models: Path, tmp_path: Path) -> None:
    studies = tmp_path / "studies"
    write_radiograph_studies(studies, 12, 7000, RadiographSpec(size=96))
    for path in (studies / FINAL_LABELS).iterdir():
        case = Case.from_json(path.read_text(encoding="utf-8")).to_dict()
        case["cxr"]["lung_boxes"] = {}
        path.write_text(json.dumps(case), encoding="utf-8")
    words = ["crossvalidate", "--studies", studies, *TINY, *SMALL, "--no-superpixels", "--no-pyramid"]
    refused = run(*words, "--out", tmp_path / "none", "--model-dir", tmp_path / "empty")
    assert refused.status == 2 and "no lung boxes" in refused.err
    whole = run(*words, "--out", tmp_path / "whole", "--model-dir", tmp_path / "empty", "--view", "whole")
    assert whole.status == 0, whole.err
    found = run(*words, "--out", tmp_path / "found", "--model-dir", xray_models)
    assert found.status == 0, found.err
    assert document(tmp_path / "found")["boxes_found"] == 12
    assert "from the network in use" in found.out


def test_the_method_stands_on_another_trunk(run: Any, xrays: Path, tmp_path: Path) -> None:
    words = ["crossvalidate", "--studies", xrays, "--out", tmp_path, *TINY, "--size", 32]
    ended = run(*words, "--trunk", "efficientnet_lite0")
    assert ended.status == 0, ended.err
    [set_up] = document(tmp_path)["set_ups"]
    assert set_up["title"] == "method on EfficientNet-Lite0, lungs, by patient"
    assert run(*words, "--trunk", "resnet18").status == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--audit", "--plain"], "--plain describes a single set-up"),
        (["--task", "localization", "--view", "whole"], "--view is no option"),
        (["--task", "classes", "--no-attention"], "--no-attention is no option"),
        (["--plain", "--trunk", "efficientnet_lite0"], "leave one of them out"),
        (["--task", "lung_boxes", "--trunk", "resnet18"], "--trunk is no option"),
        (["--widths", "a,b"], "--widths a,b"),
        (["--widths", "8,8"], "--widths"),
        (["--widths", "4,4,4,4"], "from 8"),
        (["--initial", "weights.bin"], "model.safetensors"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    words: list[str], said: str, run: Any, xrays: Path, tmp_path: Path
) -> None:
    ended = run("crossvalidate", "--studies", xrays, "--out", tmp_path, *words)
    assert ended.status == 2 and said in ended.err


def test_folds_begin_from_given_weights(run: Any, xrays: Path, xray_models: Path, tmp_path: Path) -> None:
    file = xray_models / "cxr_discrimination" / "1" / "model.safetensors"
    words = ["crossvalidate", "--studies", xrays, "--out", tmp_path, *TINY, "--initial", file]
    ended = run(*words)
    assert ended.status == 0, ended.err
    assert document(tmp_path)["set_ups"][0]["settings"]["network"]["size"] in (32, 224)


def test_xrays_are_evaluated(run: Any, xrays: Path, xray_models: Path, tmp_path: Path) -> None:
    readers = tmp_path / "readers.csv"
    readers.write_text("case,reader,label\nxray-005000,Dr A,covid19\nxray-005001,Dr A,cap\n", encoding="utf-8")
    words = ["evaluate", "--modality", "cxr", "--studies", xrays, "--model-dir", xray_models, "--device", "cpu"]
    ended = run(*words, "--out", tmp_path / "out", "--side", "all", "--readers", readers)
    assert ended.status == 0, ended.err
    for word in ("all side of the split: 24 X-rays of 16 patients", "macro means", "paper, other patients: 0.9365"):
        assert word in ended.out
    assert "Dr A, covid19: sensitivity 1.000, specificity 1.000 (2 X-rays)" in ended.out
    page = (tmp_path / "out" / "evaluation.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 2 and "Dr A" in page and "not the test patients" in page
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert len(found["outcomes"]) == 24 and found["population"]["how"] == "all side of the split"
    again = run(*words, "--out", tmp_path / "out", "--side", "all", "--readers", readers)
    assert again.out == ended.out


def test_phantom_xrays_are_evaluated_and_ct_options_refused(run: Any, xray_models: Path, tmp_path: Path) -> None:
    words = ["evaluate", "--modality", "cxr", "--out", tmp_path, "--model-dir", xray_models, "--device", "cpu"]
    ended = run(*words, "--cases", 1, "--seed", 3)
    assert ended.status == 0, ended.err
    assert "synthetic X-rays, seeds 3 to 3" in ended.out
    assert run(*words, "--calibrate").status == 2
    assert run(*words, "--side", "test").status == 2
    assert run("evaluate", "--out", tmp_path, "--readers", tmp_path / "r.csv").status == 2

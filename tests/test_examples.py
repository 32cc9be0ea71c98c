"""Each example runs as its page says, in processes of its own; pip installs those that are packages."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pneumoscreen.case import Case
from pneumoscreen.config import load_config
from pneumoscreen.ct.learning.classifier import ClassifierTrainingSettings
from pneumoscreen.cxr.phantoms.studies import write_radiograph_studies
from pneumoscreen.errors import ConfigError
from pneumoscreen.models.store import ModelStore

REPOSITORY = Path(__file__).parents[1]
EXAMPLES = REPOSITORY / "examples"


def run(*words: object, beside: Path | None = None, **variables: str) -> str:
    """What a program of Python prints; ``beside`` is a folder with installed packages."""
    path = os.pathsep.join(map(str, filter(None, (beside, REPOSITORY / "lib"))))
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **variables},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page_names_each_example() -> None:
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    assert {name for name in folders if f"]({name}/README.md)" in page} == folders


def test_a_folder_is_screened_into_a_table(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    (film,) = write_radiograph_studies(tmp_path / "studies", 1, 5, label="covid19")
    shutil.copy(film, tmp_path / "scans")
    (tmp_path / "scans" / "notes.txt").write_text("no image")
    printed = run(EXAMPLES / "screen_folder" / "screen_folder.py", tmp_path / "scans", tmp_path / "results")
    assert len(printed.splitlines()) == 2
    with (tmp_path / "results" / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    (document,) = (tmp_path / "results").glob("*.json")
    case = Case.from_json(document.read_text(encoding="utf-8"))
    assert case.verdict is not None and case.verdict.infection is not None
    row = rows[film.name]
    assert (row["verdict"], row["infection"]) == (case.verdict.label, f"{case.verdict.infection.probability:.3f}")
    assert document.with_suffix(".html").is_file()
    assert "is of no kind that is read" in rows["notes.txt"]["problem"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip installed both packages."""
    work = tmp_path_factory.mktemp("packages")
    sources = [shutil.copytree(EXAMPLES / name, work / name) for name in ("own_strategy", "own_backbone")]
    run(
        "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-t", work / "target", *sources
    )
    return work / "target"


STRATEGY = """
import sys
import numpy as np
from pneumoscreen import methods
from pneumoscreen.active_learning.scores import CaseScore
from pneumoscreen.active_learning.strategies import choose
assert "torch" not in sys.modules
cases = [CaseScore(name, 0.5, 0.0, np.ones(1), parts) for name, parts in
         (("agree", {"disagreement": 0.0}), ("film", {}), ("differ", {"disagreement": 0.58}))]
print(choose("votes", cases, [], 1, np.random.default_rng(0)))
"""


def test_a_strategy_is_known_once_its_package_is_installed(installed: Path) -> None:
    assert run("-c", STRATEGY, beside=installed) == "['differ']\n"


BACKBONE = """
import sys
from pathlib import Path
import torch
from pneumoscreen import methods
from pneumoscreen.config import load_config
from pneumoscreen.ct.classifier import ClassifierModel
from pneumoscreen.ct.learning.classifier import ClassifierTrainingSettings
from pneumoscreen.models.store import ModelStore
settings = load_config(Path(sys.argv[1]), ClassifierTrainingSettings).network
model = ClassifierModel.untrained(settings)
store = ModelStore(Path(sys.argv[2]))
origin = dict.fromkeys(("data", "command", "licence"), "test") | {"seed": 0, "figures": {}}
# A store keeps weights in half precision.
store.publish("ct_classifier", model.state(), {**origin, "network": model.card_network()})
again = methods.networks()["ct_classifier"].load(store.load("ct_classifier"))
pixels, near = torch.rand(2, 1, 64, 64), torch.tensor([0.1, 0.2])
torch.testing.assert_close(model.network(pixels, near)["m2"], again.network(pixels, near)["m2"], atol=1e-3, rtol=0)
print(type(again.network.trunk).__name__, [tuple(logits.shape) for logits in again.network(pixels, near).values()])
"""


def test_another_backbone_stands_under_both_heads(installed: Path, tmp_path: Path) -> None:
    config = EXAMPLES / "own_backbone" / "own_backbone.yaml"
    assert run("-c", BACKBONE, config, tmp_path, beside=installed) == "Sequential [(2, 3), (2, 3)]\n"


def test_without_its_package_a_backbone_is_named_as_missing() -> None:
    with pytest.raises(ConfigError, match=r"own_backbone\.yaml: key network\.trunk: .*'plain' is not one of resnet18"):
        load_config(EXAMPLES / "own_backbone" / "own_backbone.yaml", ClassifierTrainingSettings)


def test_an_extension_that_fails_is_left_out_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "broken-1.dist-info").mkdir()
    (tmp_path / "broken-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (tmp_path / "broken-1.dist-info" / "entry_points.txt").write_text("[pneumoscreen.extensions]\nb = broken\n")
    (tmp_path / "broken.py").write_text("raise RuntimeError('no licence')\n")
    done = subprocess.run(
        [sys.executable, "-m", "pneumoscreen", "--version"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(REPOSITORY / "lib")])},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stderr == "the extension broken is left out: no licence; mend or uninstall it\n"


@pytest.mark.slow
def test_three_types_are_trained_published_and_screened(tmp_path: Path) -> None:
    example = EXAMPLES / "third_class"
    studies, models = tmp_path / "studies", tmp_path / "models"
    counts = "{'covid19': 4, 'rsv': 2, 'no_infection_found': 4, 'influenza_a': 2}\n"
    assert run(example / "label_cases.py", studies, 12) == counts
    config = tmp_path / "short.yaml"
    config.write_text((example / "third_class.yaml").read_text(encoding="utf-8").replace("epochs: 6", "epochs: 1"))
    shutil.copytree(REPOSITORY / "apps" / "pneumoscreen" / "model", models, symlinks=True)
    words = ("ct_classifier", "--studies", studies, "--config", config, "--out", tmp_path / "run", "--device", "cpu")
    run("-m", "pneumoscreen", "train", *words, PNEUMOSCREEN_MODELS=str(models))
    (kept,) = ModelStore(models).candidates("ct_classifier")
    run("-m", "pneumoscreen", "models", "publish", "ct_classifier", kept.id, PNEUMOSCREEN_MODELS=str(models))
    scan = next(studies.glob("*.nii.gz"))
    run("-m", "pneumoscreen", "screen", scan, "--out", tmp_path / "out", PNEUMOSCREEN_MODELS=str(models))
    (document,) = (tmp_path / "out").glob("*.json")
    verdict = json.loads(document.read_text(encoding="utf-8"))["verdict"]
    assert set(verdict["probability"]) == {"covid19", "influenza_a", "rsv"}


def test_a_sites_table_becomes_labelled_studies(tmp_path: Path) -> None:
    example, scans, studies = EXAMPLES / "import_site_data", tmp_path / "scans", tmp_path / "studies"
    size = ("--cases", 2, "--seed", 1, "--matrix", 128, "--slices", 24)
    run("-m", "pneumoscreen", "phantom", "--out", tmp_path / "drawn", *size)
    scans.mkdir()
    for scan in (tmp_path / "drawn").glob("*.nii.gz"):
        shutil.copy(scan, scans)
    assert run(example / "to_boxes.py", example / "findings.csv", scans / "boxes.csv") == "3 boxes\n"
    run("-m", "pneumoscreen", "import", scans, "--studies", studies, "--dry-run")
    assert not studies.exists()
    run("-m", "pneumoscreen", "import", scans, "--studies", studies)
    first, second = sorted((studies / "labels" / "final").glob("*.json"))
    case = Case.from_json(first.read_text(encoding="utf-8"))
    # 60 mm to the patient's right is -60 in LPS, and the right lung.
    places = {region.center_mm: (region.side, region.reader.label) for region in case.regions if region.reader}
    assert places == {(-60.0, -10.0, 120.0): ("right", "covid19"), (70.0, 20.0, 80.0): ("left", "covid19")}
    (scar,) = Case.from_json(second.read_text(encoding="utf-8")).regions
    assert scar.reader is not None and scar.reader.label == "irrelevant"

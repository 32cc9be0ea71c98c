"""``pneumoscreen simulate``: a tiny run from the command line, and mistakes refused in one sentence."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pneumoscreen.ct.candidates.finding import CandidateModel, CandidateSettings
from pneumoscreen.ct.candidates.network import CandidateNetworkSettings
from pneumoscreen.ct.candidates.proposals import SelectionSettings
from pneumoscreen.ct.candidates.working_grid import WorkingGridSettings
from pneumoscreen.models.store import ModelStore

from .conftest import NARROW, Ended

Run = Callable[..., Ended]

TINY = {
    "phantom": {"matrix": 64, "slices": 16},
    "steps": 2,
    "training": {"network": {"heads": ["m2"], "widths": [8, 8, 8, 8], "features": 16}, "batch": 16},
}
SIZES = ("--pool", 5, "--test", 3, "--start", 3, "--rounds", 1, "--per-round", 1, "--seeds", 1)


@pytest.fixture(scope="module")
def coarse_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store with a candidate network that is narrow and looks at a coarse grid."""
    network = CandidateModel.untrained(
        CandidateSettings(
            network=CandidateNetworkSettings(**NARROW),
            grid=WorkingGridSettings(spacing_mm=(12.0, 8.0, 8.0)),
            selection=SelectionSettings(score=0.0, free_score=0.0, most=8),
        )
    )
    card = {"data": "none", "seed": 0, "command": "tests/commands", "figures": {}, "licence": "Apache-2.0"}
    store = ModelStore(tmp_path_factory.mktemp("models"))
    store.publish("ct_candidates", network.state(), {**card, "network": network.card_network()})
    return store.root


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(json.dumps(TINY), encoding="utf-8")  # JSON is YAML
    return path


def test_a_simulation_prints_its_tables_and_goes_on(
    run: Run, coarse_models: Path, config: Path, tmp_path: Path
) -> None:
    words = ["simulate", "--out", tmp_path / "out", *SIZES, "--config", config, "--model-dir", coarse_models]
    ended = run(*words, "--device", "cpu")
    assert ended.status == 0, ended.err
    assert "case accuracy" in ended.out and "combined" in ended.out and "random" in ended.out
    assert (tmp_path / "out" / "simulation.html").is_file()
    again = run(*words)
    assert (again.status, again.out) == (2, "")
    assert again.refusals() == [
        f"{tmp_path / 'out'}: holds results of an earlier run; add --resume or name another folder"
    ]
    resumed = run(*words, "--resume", "--json")
    assert resumed.status == 0, resumed.err
    document = json.loads(resumed.out)
    assert document == json.loads((tmp_path / "out" / "simulation.json").read_text(encoding="utf-8"))
    assert list(document["strategies"]) == ["random", "combined"]
    assert document["labels"] == [3, 4]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--strategy", "clever"], "--strategy clever: not a strategy; use one of combined, uncertainty"),
        (["--pool", 12], "a pool of 12 cases cannot give 42 labels (12 to start with, 5 rounds of 6)"),
        (["--device", "gpu"], "--device gpu: not a device"),
        (["--model-dir", "nowhere"], "nowhere"),
        (["--seeds", 0], "--seeds"),
        (["--config", "absent.yaml"], "absent.yaml: the configuration cannot be read"),
    ],
)
def test_a_mistake_is_one_sentence(words: list[object], sentence: str, run: Run, tmp_path: Path) -> None:
    ended = run("simulate", "--out", tmp_path / "out", *words)
    assert (ended.status, ended.out) == (2, "")
    assert len(ended.refusals()) == 1
    assert sentence in ended.err
    assert not list(tmp_path.glob("out/cases/*"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("epochs: 3", "key epochs: not a setting"),
        ("shares: {covid19: 1}", "key shares: Value error, shares must give a number above 0 for each of"),
        ("steps: 0", "key steps"),
    ],
)
def test_a_wrong_setting_is_named(text: str, sentence: str, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text, encoding="utf-8")
    ended = run("simulate", "--out", tmp_path / "out", "--config", path)
    assert (ended.status, ended.out) == (2, "")
    assert len(ended.refusals()) == 1
    assert f"{path}: {sentence}" in ended.err


def test_xrays_have_settings_of_their_own(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("training: {batch: 3}", encoding="utf-8")
    ended = run("simulate", "--modality", "cxr", "--out", tmp_path / "out", "--config", path)
    assert (ended.status, ended.out) == (2, "")
    assert len(ended.refusals()) == 1
    assert f"{path}: key training: not a setting" in ended.err

"""Training of the candidate network on toy cases: it learns, resumes exactly, and can be cancelled."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from pneumoscreen.config import load_config
from pneumoscreen.ct.learning.candidate_data import PreparedCase, prepare_case
from pneumoscreen.ct.learning.candidates import CandidateTrainingSettings, train_candidates
from pneumoscreen.errors import Cancelled, ConfigError

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
SETTINGS = CandidateTrainingSettings.model_validate(
    {
        "model": {
            "network": {
                "channels": (8, 16, 16, 24),
                "encoder_blocks": (1, 1, 1, 1),
                "decoder_blocks": (1, 1, 1),
                "proposal_stages": (2, 3),
                "anchor_scales": (1.0, 2.0),
                "proposal_channels": 16,
            },
        },
        "augmentation": {"noise": 5.0, "shift": 5.0, "zoom": 0.0, "picture": 0.0},
        "crop": (24, 48, 64),
        "steps": 90,
        "learning_rate": 0.01,
        "validate_every": 1000,
        "save_every": 1000,
        "workers": 0,
        "device": "cpu",
    }
)
SHORT = SETTINGS.model_copy(update={"steps": 6, "save_every": 2, "crop": (12, 32, 32)})


@pytest.fixture(scope="module")
def prepared(toy_cases: list[Any]) -> list[PreparedCase]:
    return [prepare_case(case, SETTINGS.model.grid) for case in toy_cases]


def test_two_toy_cases_are_learnt(prepared: list[PreparedCase], tmp_path: Path) -> None:
    trained = train_candidates(prepared, SETTINGS, tmp_path, validation=prepared)
    assert trained.figures is not None
    assert trained.figures.lesions == 4
    assert trained.figures.recall == 1.0
    assert trained.figures.dice > 0.6


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(prepared: list[PreparedCase], tmp_path: Path) -> None:
    whole = train_candidates(prepared, SHORT, tmp_path / "whole").model.state()

    def stop(_name: str, fraction: float) -> None:
        if fraction >= 5 / 6:
            raise Cancelled

    with pytest.raises(Cancelled):
        train_candidates(prepared, SHORT, tmp_path / "parts", progress=stop)
    assert (tmp_path / "parts" / "checkpoint-0000004").is_dir()
    resumed = train_candidates(prepared, SHORT, tmp_path / "parts").model.state()
    assert all(torch.equal(resumed[name], tensor) for name, tensor in whole.items())


def test_the_seed_decides(prepared: list[PreparedCase], tmp_path: Path) -> None:
    runs = [
        train_candidates(prepared, SHORT.model_copy(update={"steps": 2, "seed": seed}), tmp_path / str(n)).model.state()
        for n, seed in enumerate((1, 1, 2))
    ]
    assert all(torch.equal(runs[0][name], tensor) for name, tensor in runs[1].items())
    assert any(not torch.equal(runs[0][name], tensor) for name, tensor in runs[2].items())


def test_another_runs_checkpoints_are_not_resumed(prepared: list[PreparedCase], tmp_path: Path) -> None:
    short = SHORT.model_copy(update={"steps": 2})
    train_candidates(prepared, short, tmp_path)
    with pytest.raises(ConfigError, match="other settings or cases"):
        train_candidates(prepared, short.model_copy(update={"learning_rate": 0.5}), tmp_path)


def test_nothing_to_train_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no training case"):
        train_candidates([], SETTINGS, tmp_path)


def test_the_sites_config_is_the_default_recipe_and_says_nothing_of_the_network() -> None:
    settings = load_config(CONFIGS / "ct_candidates.yaml", CandidateTrainingSettings)
    assert settings == CandidateTrainingSettings()
    assert not settings.model.model_fields_set
    assert (settings.split.validation, settings.split.test) == (0.15, 0.15)


def test_the_starter_config_names_the_shipped_network() -> None:
    starter = load_config(CONFIGS / "starter_candidates.yaml", CandidateTrainingSettings)
    assert starter.model.network == CandidateTrainingSettings().model.network
    assert (starter.split.validation, starter.split.test) == (0.08, 0.0)


def test_epochs_count_rounds_over_the_cases() -> None:
    settings = SETTINGS.model_copy(update={"epochs": 1000})
    assert settings.total_steps(cases=528, world=2) == 132_000
    assert SETTINGS.total_steps(cases=528, world=2) == 90


def test_a_crop_that_the_network_cannot_halve_is_refused() -> None:
    with pytest.raises(ValidationError, match="multiple"):
        CandidateTrainingSettings(crop=(20, 96, 96))

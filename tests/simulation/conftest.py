"""A tiny clinic: small phantoms, a narrow untrained candidate network, trainings of a few steps."""

from pathlib import Path
from typing import Any

import pytest

from pneumoscreen.ct.candidates.finding import CandidateModel, CandidateSettings
from pneumoscreen.ct.candidates.network import CandidateNetworkSettings
from pneumoscreen.ct.candidates.proposals import SelectionSettings
from pneumoscreen.ct.candidates.working_grid import WorkingGridSettings
from pneumoscreen.ct.simulation import CtSimulationSettings, CtSubject
from pneumoscreen.models.store import ModelStore
from pneumoscreen.simulation.ledger import Ledger
from pneumoscreen.simulation.settings import Plan
from pneumoscreen.simulation.simulate import run_simulation

NARROW: dict[str, Any] = {
    "channels": (8, 8),
    "encoder_blocks": (1, 1),
    "decoder_blocks": (1,),
    "batch_norm_stages": 1,
    "proposal_stages": (1,),
    "proposal_channels": 8,
    "anchor_scales": (1.0,),
}
SETTINGS = CtSimulationSettings.model_validate(
    {
        "phantom": {"matrix": 64, "slices": 16},
        "steps": 4,
        "training": {
            "network": {"heads": ["m2"], "widths": [8, 8, 8, 8], "features": 16, "dropout": 0.2},
            "batch": 16,
        },
    }
)
PLAN = Plan(("random", "combined"), pool=9, test=3, start=3, rounds=2, per_round=2, seeds=2)


def silent(line: str) -> None:
    del line


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    """A model store with a narrow untrained candidate network."""
    network = CandidateModel.untrained(
        CandidateSettings(
            network=CandidateNetworkSettings(**NARROW),
            grid=WorkingGridSettings(spacing_mm=(12.0, 8.0, 8.0)),
            selection=SelectionSettings(score=0.0, free_score=0.0, most=8),
        )
    )
    card = {"data": "none", "seed": 0, "command": "tests/simulation", "figures": {}, "licence": "Apache-2.0"}
    found = ModelStore(tmp_path_factory.mktemp("models"))
    found.publish("ct_candidates", network.state(), {**card, "network": network.card_network()})
    return found


@pytest.fixture(scope="session")
def subject(store: ModelStore) -> CtSubject:
    """The classifier of the CT method, on the tiny clinic."""
    return CtSubject(SETTINGS, store)


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of prepared cases, shared by all simulations here."""
    return tmp_path_factory.mktemp("cases")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, subject: CtSubject, cases: Path) -> Ledger:
    """A simulation that ran through."""
    return run_simulation(PLAN, subject, tmp_path_factory.mktemp("finished"), cases=cases, say=silent)

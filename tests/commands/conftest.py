"""Small studies and narrow networks, so that whole commands run in seconds."""

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pneumoscreen.cli import main
from pneumoscreen.ct.candidates.finding import CandidateModel, CandidateSettings
from pneumoscreen.ct.candidates.network import CandidateNetworkSettings
from pneumoscreen.ct.candidates.proposals import SelectionSettings
from pneumoscreen.ct.classifier import ClassifierModel, ClassifierSettings
from pneumoscreen.ct.phantoms.phantom import PhantomSpec
from pneumoscreen.ct.phantoms.studies import write_studies
from pneumoscreen.models.store import ModelStore

NARROW: dict[str, Any] = {
    "channels": (8, 8),
    "encoder_blocks": (1, 1),
    "decoder_blocks": (1,),
    "batch_norm_stages": 1,
    "proposal_stages": (1,),
    "proposal_channels": 8,
    "anchor_scales": (1.0,),
}


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    def refusals(self) -> list[str]:
        """The lines on standard error but for the notice."""
        return [line for line in self.err.splitlines() if not line.startswith("Research use only")]


@pytest.fixture(scope="session")
def run() -> Callable[..., Ended]:
    """Runs a command line in this process; an exception that reaches the user fails the test."""

    def run_command(*words: object) -> Ended:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main([str(word) for word in words])
        assert "Traceback" not in err.getvalue()
        return Ended(status, out.getvalue(), err.getvalue())

    return run_command


@pytest.fixture(scope="session")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six labelled phantoms, two of each diagnosis; not to be changed."""
    folder = tmp_path_factory.mktemp("studies")
    write_studies(folder, 6, 1, PhantomSpec(matrix=64, slices=20))
    return folder


@pytest.fixture(scope="session")
def narrow_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store with narrow untrained networks."""
    root = tmp_path_factory.mktemp("models")
    card = {"data": "none", "seed": 0, "command": "tests/commands", "figures": {}, "licence": "Apache-2.0"}
    networks = {
        "ct_candidates": CandidateModel.untrained(
            CandidateSettings(
                network=CandidateNetworkSettings(**NARROW), selection=SelectionSettings(score=0.0, free_score=0.0)
            )
        ),
        "ct_classifier": ClassifierModel.untrained(ClassifierSettings(widths=(8, 8, 8, 8), features=16)),
    }
    for name, model in networks.items():
        ModelStore(root).publish(name, model.state(), {**card, "network": model.card_network()})
    return root

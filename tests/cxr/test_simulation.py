"""The readers' loop of the X-ray method: what is kept of a film, what labels teach, whole simulations."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.cxr.radiographs import TINY_BOXES, box_model
from tests.cxr.test_screening import CARD

from pneumoscreen.case import CXR_CLASSES
from pneumoscreen.cxr.learning.items import Items
from pneumoscreen.cxr.lung_boxes import find_lung_boxes
from pneumoscreen.cxr.phantoms.radiograph import generate_radiograph
from pneumoscreen.cxr.simulation import CxrSimulationSettings, CxrSubject, PreparedFilm, TrainedNetworks
from pneumoscreen.errors import ConfigError, PneumoScreenError
from pneumoscreen.models.store import ModelStore
from pneumoscreen.simulation.curves import Curves
from pneumoscreen.simulation.ledger import Ledger
from pneumoscreen.simulation.page import write_results
from pneumoscreen.simulation.pool import Recipe
from pneumoscreen.simulation.settings import Plan
from pneumoscreen.simulation.simulate import all_turns, run_simulation
from pneumoscreen.simulation.subject import CaseFolder, unchecked
from pneumoscreen.workers.asked import Workers

SETTINGS = {
    "phantom": {"size": 96},
    "steps": 3,
    "discrimination": {"batch": 4, "network": {"size": 32, "widths": [4, 4, 4, 4], "pyramid_channels": 4}},
    "localization": {"batch": 4, "network": {"size": [16, 32], "widths": [4, 4]}},
}
PLAN = Plan(("random", "combined"), pool=9, test=9, start=3, rounds=1, per_round=2, seeds=2)
COVID = Recipe(500_001, "covid19")


def silent(line: str) -> None:
    del line


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    """A model store with a network that finds lungs where they mostly are."""
    found, network = ModelStore(tmp_path_factory.mktemp("models")), box_model(settings=TINY_BOXES)
    found.publish("cxr_lung_boxes", network.state(), {**CARD, "network": network.card_network()})
    return found


@pytest.fixture(scope="module")
def subject(store: ModelStore) -> CxrSubject:
    return CxrSubject(CxrSimulationSettings.model_validate(SETTINGS), store)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cases")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, subject: CxrSubject, cases: Path) -> Ledger:
    return run_simulation(PLAN, subject, tmp_path_factory.mktemp("finished"), cases=cases, say=silent)


def results(ledger: Ledger, subject: CxrSubject) -> Any:
    records = [ledger.record(turn) for turn in all_turns(PLAN, subject.settings)]
    return [(record.labelled, record.figures) for record in records]


def film(name: str, label: str, lungs: tuple[bool, ...] = ()) -> PreparedFilm:
    """A film with a bright band in the third of its class, and whose infected lungs are white."""
    number = CXR_CLASSES.index(label)
    seen = np.full((1, 2, 32, 32), 100, np.uint8)
    seen[:, :, 10 * number : 10 * (number + 1)] = 250
    picture = Items(seen, np.array([number], np.float32))
    shown = [np.full((1, 32, 16), 255 * ill, np.uint8) for ill in lungs]
    return PreparedFilm(
        name,
        label,
        picture,
        Items(np.stack(shown) if shown else np.zeros((0, 1, 1, 1), np.uint8), np.array(lungs, np.float32)),
    )


class TestCase:
    def test_is_kept_as_the_networks_see_it(self, subject: CxrSubject, tmp_path: Path) -> None:
        folder = CaseFolder(tmp_path, subject)
        folder.prepare(COVID, unchecked)
        kept = folder.load(COVID)
        assert isinstance(kept, PreparedFilm)
        phantom = generate_radiograph(COVID.seed, COVID.diagnosis, subject.settings.phantom)
        assert (kept.case_id, kept.diagnosis) == ("phantom-500001", "covid19")
        assert kept.picture.pictures.shape == (1, 2, 32, 32) and kept.picture.targets.tolist() == [0.0]
        assert kept.lungs.pictures.shape == (2, 1, 32, 16)
        assert kept.lungs.targets.tolist() == [phantom.sides["left"], phantom.sides["right"]]
        boxes = find_lung_boxes(phantom.radiograph, box_model(settings=TINY_BOXES)).by_side()
        assert boxes != phantom.lung_boxes, "the lung boxes are those of the network"

    def test_only_covid_has_lungs_to_learn_from(self, subject: CxrSubject, tmp_path: Path) -> None:
        folder, healthy = CaseFolder(tmp_path, subject), Recipe(500_002, "healthy")
        folder.prepare(healthy, unchecked)
        kept = folder.load(healthy)
        assert isinstance(kept, PreparedFilm)
        assert (len(kept.lungs.pictures), kept.picture.targets.tolist()) == (0, [1.0])

    def test_damaged_is_named_and_made_again_once_removed(self, subject: CxrSubject, tmp_path: Path) -> None:
        folder = CaseFolder(tmp_path, subject)
        folder.prepare(COVID, unchecked)
        (file,) = folder.folder.glob("*.npz")
        file.write_bytes(b"nothing")
        with pytest.raises(PneumoScreenError, match="is damaged; remove it and start again"):
            folder.load(COVID)
        file.unlink()
        assert not folder.holds(COVID)


class TestLabels:
    def test_are_learnt(self, store: ModelStore) -> None:
        network = {"size": 32, "widths": [8, 8, 8, 8], "pyramid_channels": 8}
        settings = {**SETTINGS, "steps": 60, "discrimination": {"batch": 12, "network": network}}
        taught = CxrSubject(CxrSimulationSettings.model_validate(settings), store)
        films = [
            film(f"film-{i}", label, (True, False) if not i % 3 else ()) for i, label in enumerate(CXR_CLASSES * 2)
        ]
        assert taught.measure(films, taught.train(films, films, 1, unchecked)) == {
            "accuracy": 1.0,
            "auc": 1.0,
            "lung_accuracy": 1.0,
            "lung_auc": 1.0,
        }

    def test_none_of_covid_is_one_sentence(self, subject: CxrSubject) -> None:
        with pytest.raises(ConfigError, match=r"^shares: of 2 labelled X-rays none shows covid19"):
            subject.train([film("a", "healthy"), film("b", "cap")], [], 1, unchecked)


class TestFigures:
    def networks(self, subject: CxrSubject) -> TrainedNetworks:
        """They call every film healthy, and every lung infected by half."""
        films = [film(label, label, (True, False) if label == "covid19" else ()) for label in CXR_CLASSES]
        trained = subject.train(films, films, 1, unchecked)
        for layer in (trained.discriminator.network.classify, trained.localiser.network.classify):
            torch.nn.init.zeros_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
        trained.discriminator.network.classify.bias.data[1] = 1.0
        return trained

    def test_are_those_of_a_hand_count(self, subject: CxrSubject) -> None:
        films = [film("a", "covid19", (True, False)), film("b", "healthy"), film("c", "cap"), film("d", "cap")]
        found = subject.measure([*films, film("e", "covid19", (True, True))], self.networks(subject))
        # One of five films is healthy; three of four lungs are infected, and from 0.5 on a lung is taken for infected.
        assert found == {"accuracy": 0.2, "auc": 0.5, "lung_accuracy": 0.75, "lung_auc": 0.5}

    def test_without_a_clear_lung_are_one_sentence(self, subject: CxrSubject) -> None:
        films = [film("a", "covid19", (True, True)), film("b", "healthy"), film("c", "cap")]
        with pytest.raises(ConfigError, match=r"^--test 3: .* show no clear lung"):
            subject.measure(films, self.networks(subject))


class TestSimulation:
    def test_the_same_seed_gives_the_same(
        self, finished: Ledger, subject: CxrSubject, cases: Path, tmp_path: Path
    ) -> None:
        again = run_simulation(PLAN, subject, tmp_path, cases=cases, say=silent)
        assert results(again, subject) == results(finished, subject)
        first, second = (finished.record(turn) for turn in all_turns(PLAN, subject.settings) if turn.round == 0)
        assert first.labelled != second.labelled and first.figures != second.figures

    @pytest.mark.slow
    def test_two_processes_find_the_same(self, finished: Ledger, subject: CxrSubject, tmp_path: Path) -> None:
        parallel = run_simulation(PLAN, subject, tmp_path, workers=Workers(2), say=silent)
        assert results(parallel, subject) == results(finished, subject)

    def test_goes_on_where_it_was(self, finished: Ledger, subject: CxrSubject, cases: Path, tmp_path: Path) -> None:
        shorter = replace(PLAN, strategies=("random",))
        run_simulation(shorter, subject, tmp_path, cases=cases, say=silent)
        said: list[str] = []
        resumed = run_simulation(PLAN, subject, tmp_path, cases=cases, resume=True, say=said.append)
        assert said[-1].startswith("simulate: trainings step 2/2"), "what is there is not trained again"
        assert results(resumed, subject) == results(finished, subject)

    def test_is_told_on_the_page(self, finished: Ledger, subject: CxrSubject, tmp_path: Path) -> None:
        document = write_results(tmp_path, Curves.of(finished, PLAN, subject), subject)
        assert document == json.loads((tmp_path / "simulation.json").read_text(encoding="utf-8"))
        assert set(subject.figures) < set(document["strategies"]["combined"])
        page = (tmp_path / "simulation.html").read_text(encoding="utf-8")
        assert "Chest X-ray screening" in page and "96 pixels on the longer side" in page
        assert "the films are phantoms" in page and "Noisy-OR" not in page

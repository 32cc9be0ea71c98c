"""The engine follows its store: another version, damage, repair, and a store that is gone."""

import shutil
from pathlib import Path

import pytest
import SimpleITK as sitk

from pneumoscreen.ct.method import METHOD as CT
from pneumoscreen.ct.networks import CANDIDATES, CLASSIFIER
from pneumoscreen.errors import ModelError
from pneumoscreen.images.volume import Volume
from pneumoscreen.models.store import WEIGHTS_FILE, ModelStore
from pneumoscreen.server.inference.engine import Engine
from pneumoscreen.server.inference.tasks import ScreeningTask

from ..conftest import copied_models


@pytest.fixture
def store(model_root: Path, tmp_path: Path) -> ModelStore:
    """Two versions of the classifier, of which the second is in use."""
    store = ModelStore(copied_models(model_root, tmp_path / "models"))
    weights = store.load(CLASSIFIER, 1)
    store.publish(CLASSIFIER, {**weights.state, "trunk.fc.bias": weights.state["trunk.fc.bias"] + 1.0}, weights.card)
    return store


@pytest.fixture
def engine(store: ModelStore) -> Engine:
    return Engine(store)


def loaded(engine: Engine) -> int:
    return engine.screener(CT).models[CLASSIFIER].version


def test_info_asks_the_disk_once_a_second(engine: Engine, store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("pneumoscreen.server.inference.tasks.time.monotonic", lambda: now)
    task = ScreeningTask(engine, CT)
    assert task.info()["versions"] == {CANDIDATES: 1, CLASSIFIER: 2}
    store.rollback(CLASSIFIER)
    now += 0.9
    assert task.info()["versions"] == {CANDIDATES: 1, CLASSIFIER: 2}
    now += 0.2
    assert task.info()["versions"] == {CANDIDATES: 1, CLASSIFIER: 1}
    assert engine.versions(CT) == {CANDIDATES: 1, CLASSIFIER: 1}, "whoever screens asks each time"


def test_the_networks_are_loaded_once_while_nothing_changes(engine: Engine) -> None:
    assert engine.versions(CT) == {CANDIDATES: 1, CLASSIFIER: 2}
    assert engine.loaded() == {"loaded": {}, "notes": []}
    first = engine.screener(CT)
    assert engine.screener(CT) is first
    assert engine.loaded()["loaded"][CLASSIFIER]["version"] == 2


def test_a_rollback_and_a_publication_are_followed(engine: Engine, store: ModelStore) -> None:
    assert loaded(engine) == 2
    store.rollback(CLASSIFIER)
    assert engine.versions(CT)[CLASSIFIER] == 1
    assert loaded(engine) == 1
    weights = store.load(CLASSIFIER)
    store.publish(CLASSIFIER, weights.state, weights.card)
    assert (engine.versions(CT)[CLASSIFIER], loaded(engine)) == (3, 3)


def test_damage_leads_to_the_version_before_and_repair_back(engine: Engine, store: ModelStore) -> None:
    file = store.folder(CLASSIFIER, 2) / WEIGHTS_FILE
    whole = file.read_bytes()
    file.write_bytes(whole[:1000])
    assert loaded(engine) == 1
    assert engine.versions(CT)[CLASSIFIER] == 1
    (note,) = engine.loaded()["notes"]
    assert note in engine.screener(CT).notes
    assert "ct_classifier version 2 was passed over" in note
    file.write_bytes(whole)
    assert loaded(engine) == 2
    assert engine.loaded()["notes"] == []


def test_without_a_usable_store_the_loaded_networks_stay_and_say_so(engine: Engine, store: ModelStore) -> None:
    before = engine.screener(CT)
    away = store.root.with_name("away")
    shutil.move(store.root, away)
    for _ in range(2):
        kept = engine.screener(CT)
        assert kept.classifier is before.classifier
        assert engine.versions(CT)[CLASSIFIER] == 2
        assert [note for note in kept.notes if "stay in use" in note] == list(kept.notes)
        assert len(kept.notes) == 1
    shutil.move(away, store.root)
    assert engine.screener(CT).notes == ()
    shutil.rmtree(store.root)
    with pytest.raises(ModelError, match="no usable weights"):
        Engine(store).screener(CT)


def test_the_class_list_is_that_of_the_version_in_use(engine: Engine, store: ModelStore) -> None:
    weights = store.load(CLASSIFIER)
    other = {**weights.card["network"], "classes": {"infections": ["a", "b"]}}
    store.publish(CLASSIFIER, weights.state, {**weights.card, "network": other})
    assert engine.classes().infections == ("a", "b")
    (store.folder(CLASSIFIER, 3) / "card.json").write_text("{")
    assert engine.classes().infections == ("covid19", "influenza_a")
    store.rollback(CLASSIFIER)
    assert engine.classes().infections == ("covid19", "influenza_a")


def test_a_scan_says_where_it_lies_in_the_studies_folder_and_nothing_of_other_folders(
    store: ModelStore, phantom: Volume, tmp_path: Path
) -> None:
    (tmp_path / "data" / "patient").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    image = tmp_path / "data" / "patient" / "scan.nii.gz"
    sitk.WriteImage(phantom.to_sitk(phantom.hu), image)
    engine = Engine(store, tmp_path / "link")
    assert engine.read(CT, image)[0].image_info().source == "patient/scan.nii.gz"
    upload = tmp_path / "upload.nii.gz"
    upload.write_bytes(image.read_bytes())
    assert engine.read(CT, upload)[0].image_info().source is None

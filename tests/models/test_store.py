"""The model store: what is published comes back, damage is noticed, numbers are given once."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from pneumoscreen.errors import ModelError
from pneumoscreen.models.store import CARD_FIELDS, CARD_FILE, WEIGHTS_FILE, ModelStore

CARD = {
    "network": {"depth": 18, "labels": ["covid19", "influenza_a", "irrelevant"]},
    "data": "four random numbers",
    "seed": 1,
    "command": "pytest",
    "figures": {"f1": 0.5},
    "licence": "Apache-2.0",
}


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "model")


def state(value: float = 0.1) -> dict[str, torch.Tensor]:
    tied = torch.full((2, 3), value)
    return {
        "conv.weight": torch.linspace(-1, 1, 24).reshape(2, 3, 4).transpose(0, 2),
        "a.weight": tied,
        "b.weight": tied,
        "norm.num_batches_tracked": torch.tensor(2**40 + 1),
        "mask": torch.tensor([True, False]),
    }


def test_what_is_published_comes_back_in_fp32(store: ModelStore) -> None:
    assert store.publish("ct_classifier", state(), CARD) == 1
    weights = store.load("ct_classifier")
    assert weights.version == 1
    assert weights.notes == ()
    for key, tensor in state().items():
        assert weights.state[key].dtype == tensor.dtype
        assert torch.allclose(weights.state[key].double(), tensor.double(), atol=5e-4)
    assert int(weights.state["norm.num_batches_tracked"]) == 2**40 + 1
    assert {field: weights.card[field] for field in CARD_FIELDS} == CARD
    file = store.root / "ct_classifier" / "1" / WEIGHTS_FILE
    assert weights.sha256 == weights.card["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert weights.info.version == 1


def test_floats_take_two_bytes_on_disk(store: ModelStore) -> None:
    store.publish("ct_classifier", {"w": torch.rand(1000, 100)}, CARD)
    size = (store.root / "ct_classifier" / "1" / WEIGHTS_FILE).stat().st_size
    assert 200_000 <= size < 201_000


def test_a_value_too_large_for_fp16_is_kept(store: ModelStore) -> None:
    store.publish("ct_classifier", {"norm.running_var": torch.tensor([1e6, 2.0])}, CARD)
    assert store.load("ct_classifier").state["norm.running_var"].tolist() == [1e6, 2.0]


def test_the_newest_is_current_and_older_ones_stay(store: ModelStore) -> None:
    for value in (0.25, 0.5, 0.75):
        store.publish("ct_classifier", state(value), CARD)
    assert store.versions("ct_classifier") == [1, 2, 3]
    assert store.load("ct_classifier").state["a.weight"][0, 0] == 0.75
    assert store.load("ct_classifier", 2).state["a.weight"][0, 0] == 0.5
    assert store.names() == ["ct_classifier"]


@pytest.mark.parametrize("damage", ["truncate", "flip", "no weights", "no card", "card is not JSON", "empty card"])
def test_a_damaged_newest_version_is_passed_over_with_a_message(store: ModelStore, damage: str) -> None:
    store.publish("ct_classifier", state(0.25), CARD)
    store.publish("ct_classifier", state(0.5), CARD)
    folder = store.root / "ct_classifier" / "2"
    weights_file, card_file = folder / WEIGHTS_FILE, folder / CARD_FILE
    content = weights_file.read_bytes()
    match damage:
        case "truncate":
            weights_file.write_bytes(content[: len(content) // 2])
        case "flip":
            weights_file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "no weights":
            weights_file.unlink()
        case "no card":
            card_file.unlink()
        case "card is not JSON":
            card_file.write_text(card_file.read_text(encoding="utf-8")[:40])
        case "empty card":
            card_file.write_text("{}")
    weights = store.load("ct_classifier")
    assert weights.version == 1
    assert weights.state["a.weight"][0, 0] == 0.25
    assert "version 2 was passed over" in weights.notes[0]
    with pytest.raises(ModelError, match=r"2/(model\.safetensors|card\.json)"):
        store.load("ct_classifier", 2)


def test_nothing_usable_is_one_sentence_that_names_the_folder(store: ModelStore) -> None:
    with pytest.raises(ModelError, match=f"no usable weights of ct_classifier in {store.root}"):
        store.load("ct_classifier")
    store.publish("ct_classifier", state(), CARD)
    with pytest.raises(ModelError, match=r"no version 7 .*there: 1"):
        store.load("ct_classifier", 7)


def test_a_pickle_in_the_place_of_weights_is_refused(store: ModelStore) -> None:
    store.publish("ct_classifier", state(), CARD)
    folder = store.root / "ct_classifier" / "1"
    torch.save(state(), folder / WEIGHTS_FILE)
    card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    card["sha256"] = hashlib.sha256((folder / WEIGHTS_FILE).read_bytes()).hexdigest()
    (folder / CARD_FILE).write_text(json.dumps(card))
    with pytest.raises(ModelError, match="not a safetensors file"):
        store.load("ct_classifier", 1)


def test_a_number_is_never_given_twice(store: ModelStore) -> None:
    import shutil

    store.publish("ct_classifier", state(), CARD)
    store.publish("ct_classifier", state(), CARD)
    shutil.rmtree(store.root / "ct_classifier" / "2")
    assert store.publish("ct_classifier", state(), CARD) == 3


def test_publishers_at_the_same_time_get_different_numbers(store: ModelStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(lambda i: store.publish("ct_classifier", state(i / 8), CARD), range(8)))
    assert sorted(versions) == list(range(1, 9))
    for i, version in enumerate(versions):
        assert float(store.load("ct_classifier", version).state["a.weight"][0, 0]) == i / 8
    assert not list((store.root / "ct_classifier").glob(".publish-*"))


def test_a_failed_publication_leaves_nothing(store: ModelStore) -> None:
    with pytest.raises(ModelError, match="figures"):
        store.publish("ct_classifier", state(), {k: v for k, v in CARD.items() if k != "figures"})
    with pytest.raises(ModelError, match="NaN"):
        store.publish("ct_classifier", {"w": torch.tensor([float("nan")])}, CARD)
    with pytest.raises(ModelError, match="plain JSON"):
        store.publish("ct_classifier", state(), {**CARD, "figures": {"f1": object()}})
    assert store.versions("ct_classifier") == []
    folder = store.root / "ct_classifier"
    assert not folder.exists() or list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "", "a/b", "Model", "1", ".hidden"])
def test_a_name_that_leaves_the_folder_is_refused(store: ModelStore, name: str) -> None:
    with pytest.raises(ModelError, match="not a model's name"):
        store.load(name)

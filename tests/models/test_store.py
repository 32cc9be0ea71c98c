"""The model store: what is published comes back, damage is noticed, numbers are given once, and there is a way back."""

import hashlib
import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from pneumoscreen.errors import ModelError
from pneumoscreen.models.store import (
    CARD_FIELDS,
    CARD_FILE,
    WEIGHTS_FILE,
    ModelStore,
    NothingBeforeError,
    UnknownModelError,
)

NAME = "ct_classifier"

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


def test_a_field_is_told_to_the_card_of_a_version_and_nothing_else_moves(store: ModelStore) -> None:
    store.publish(NAME, state(), CARD)
    store.publish(NAME, state(0.2), CARD)
    before, card = store.load(NAME, 1), store.card(NAME, 2)
    store.tell(NAME, 1, "inputs", {"of": "ü"})
    after = store.load(NAME, 1)
    assert after.card == {**before.card, "inputs": {"of": "ü"}} and after.sha256 == before.sha256
    assert store.current(NAME) == 2 and store.card(NAME, 2) == card
    with pytest.raises(ModelError, match="is not plain JSON"):
        store.tell(NAME, 1, "inputs", float("nan"))
    with pytest.raises(UnknownModelError, match="has no version 7"):
        store.tell(NAME, 7, "inputs", 1)
    assert store.card(NAME, 1) == after.card


def test_a_number_is_never_given_twice(store: ModelStore) -> None:
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


def value_in_use(store: ModelStore) -> float:
    return float(store.load(NAME).state["a.weight"][0, 0])


def published(store: ModelStore, *values: float) -> ModelStore:
    for value in values:
        store.publish(NAME, state(value), CARD)
    return store


def break_version(store: ModelStore, version: int) -> None:
    file = store.root / NAME / str(version) / WEIGHTS_FILE
    file.write_bytes(file.read_bytes()[:-1])


class TestCandidates:
    def test_a_staged_network_is_not_in_use(self, store: ModelStore) -> None:
        published(store, 0.25)
        candidate = store.stage(NAME, state(0.5), CARD)
        assert (store.versions(NAME), value_in_use(store)) == ([1], 0.25)
        assert [kept.id for kept in store.candidates(NAME)] == [candidate]
        weights = store.load_candidate(NAME, candidate)
        assert (weights.version, float(weights.state["a.weight"][0, 0])) == (0, 0.5)

    def test_a_promoted_one_is_the_next_version_in_use_with_its_card(self, store: ModelStore) -> None:
        published(store, 0.25)
        candidate = store.stage(NAME, state(0.5), CARD)
        sha256 = store.load_candidate(NAME, candidate).sha256
        assert store.promote(NAME, candidate, {"publication": {"reason": "better"}}) == 2
        weights = store.load(NAME)
        assert (weights.version, weights.sha256, value_in_use(store)) == (2, sha256, 0.5)
        assert (weights.card["version"], weights.card["replaces"]) == (2, 1)
        assert weights.card["publication"] == {"reason": "better"}
        assert weights.card["created"] <= weights.card["published"]
        assert store.candidates(NAME) == []

    def test_a_reason_is_kept_with_the_candidate(self, store: ModelStore) -> None:
        candidate = store.stage(NAME, state(), CARD)
        assert store.candidates(NAME)[0].reason is None
        store.annotate(NAME, candidate, {"publication": {"reason": "worse"}})
        assert store.candidates(NAME)[0].reason == "worse"
        assert store.load_candidate(NAME, candidate).card["network"] == CARD["network"]

    def test_a_damaged_one_is_not_promoted(self, store: ModelStore) -> None:
        published(store, 0.25)
        candidate = store.stage(NAME, state(0.5), CARD)
        file = store.candidate_folder(NAME, candidate) / WEIGHTS_FILE
        file.write_bytes(file.read_bytes()[:-1])
        with pytest.raises(ModelError, match="SHA-256"):
            store.promote(NAME, candidate)
        assert (store.versions(NAME), value_in_use(store)) == ([1], 0.25)

    @pytest.mark.parametrize("candidate", ["", "..", "../1", "1", "20260101-000000-abcdef", "\0"])
    def test_an_unknown_one_is_named(self, store: ModelStore, candidate: str) -> None:
        published(store, 0.25)
        for use in (store.promote, store.load_candidate):
            with pytest.raises(UnknownModelError, match="has no candidate"):
                use(NAME, candidate)

    def test_a_candidate_is_promoted_once(self, store: ModelStore) -> None:
        candidate = store.stage(NAME, state(), CARD)

        def promote(_: int) -> int | None:
            try:
                return store.promote(NAME, candidate)
            except UnknownModelError:
                return None

        with ThreadPoolExecutor(4) as pool:
            assert sorted(filter(None, pool.map(promote, range(4)))) == [1]
        assert store.versions(NAME) == [1]


class TestRollback:
    def test_the_version_before_comes_into_use(self, store: ModelStore) -> None:
        published(store, 0.25, 0.5, 0.75)
        assert (store.rollback(NAME), value_in_use(store), store.current(NAME)) == (2, 0.5, 2)
        assert (store.rollback(NAME), value_in_use(store)) == (1, 0.25)
        with pytest.raises(NothingBeforeError, match=r"version 1 is in use and no whole version.*there: 1, 2, 3"):
            store.rollback(NAME)
        assert (store.rollback(NAME, 3), value_in_use(store)) == (3, 0.75)

    def test_nobody_is_led_back_to_a_version_that_was_taken_out_of_use(self, store: ModelStore) -> None:
        published(store, 0.1, 0.2, 0.3)
        store.rollback(NAME, 1)
        published(store, 0.4)
        assert store.card(NAME, 4)["replaces"] == 1
        assert store.rollback(NAME) == 1
        store.rollback(NAME, 4)
        break_version(store, 4)
        assert store.load(NAME).version == 1

    def test_numbers_go_on_after_a_rollback(self, store: ModelStore) -> None:
        published(store, 0.25, 0.5)
        store.rollback(NAME)
        assert store.publish(NAME, state(0.75), CARD) == 3
        assert value_in_use(store) == 0.75

    def test_damaged_versions_are_passed_over_but_refused_by_number(self, store: ModelStore) -> None:
        published(store, 0.25, 0.5, 0.75)
        break_version(store, 2)
        with pytest.raises(ModelError, match="SHA-256"):
            store.rollback(NAME, 2)
        assert store.current(NAME) == 3
        assert store.rollback(NAME) == 1

    def test_unknown_models_and_versions_are_named(self, store: ModelStore) -> None:
        with pytest.raises(UnknownModelError, match="ct_classifier has no version"):
            store.rollback(NAME)
        assert not store.root.exists()
        published(store, 0.25)
        with pytest.raises(UnknownModelError, match=r"no version 7 .*there: 1"):
            store.rollback(NAME, 7)


class TestPointer:
    def test_a_folder_without_one_uses_the_newest(self, store: ModelStore) -> None:
        published(store, 0.25, 0.5)
        (store.root / NAME / "current").unlink()
        weights = store.load(NAME)
        assert (store.current(NAME), weights.version, weights.notes) == (2, 2, ())

    @pytest.mark.parametrize("content", [b"", b"two", b"\xff\xfe", b"-1", b"0", b"1\n2", b"9" * 400, "\u0661".encode()])
    def test_a_damaged_one_counts_as_none_and_is_told(self, store: ModelStore, content: bytes) -> None:
        published(store, 0.25, 0.5)
        store.rollback(NAME)
        (store.root / NAME / "current").write_bytes(content)
        weights = store.load(NAME)
        assert (store.current(NAME), weights.version) == (2, 2)
        assert "current is damaged" in weights.notes[0]

    def test_one_that_is_a_folder_is_told(self, store: ModelStore) -> None:
        published(store, 0.25)
        (store.root / NAME / "current").unlink()
        (store.root / NAME / "current").mkdir()
        assert "cannot be read" in store.load(NAME).notes[0]

    def test_one_that_names_a_missing_version_leads_to_the_next_older_one(self, store: ModelStore) -> None:
        published(store, 0.25, 0.5, 0.75)
        store.rollback(NAME)
        shutil.rmtree(store.root / NAME / "2")
        weights = store.load(NAME)
        assert (store.current(NAME), weights.version) == (1, 1)
        assert "names version 2, which is not there" in weights.notes[0]

    def test_a_version_that_was_taken_out_of_use_is_never_a_fallback(self, store: ModelStore) -> None:
        published(store, 0.25, 0.5)
        store.rollback(NAME)
        break_version(store, 1)
        with pytest.raises(ModelError, match=r"no usable weights .*rollback ct_classifier --to 2"):
            store.load(NAME)
        store.rollback(NAME, 2)
        assert value_in_use(store) == 0.5


class TestPruning:
    def test_the_last_ones_stay_and_numbers_are_remembered(self, store: ModelStore) -> None:
        published(store, *(number / 8 for number in range(1, 8)))
        assert store.prune(NAME) == [1, 2]
        assert store.versions(NAME) == [3, 4, 5, 6, 7]
        assert store.prune(NAME, 1) == [3, 4, 5]
        assert store.versions(NAME) == [6, 7], "the one before stays as well"
        shutil.rmtree(store.root / NAME / "7")
        assert store.publish(NAME, state(), CARD) == 8
        assert not list((store.root / NAME).glob(".removed*"))

    def test_the_one_in_use_and_the_one_before_it_stay_however_old(self, store: ModelStore) -> None:
        published(store, *(number / 8 for number in range(1, 8)))
        store.rollback(NAME, 2)
        assert store.prune(NAME, 2) == [3, 4, 5]
        assert store.versions(NAME) == [1, 2, 6, 7]
        with pytest.raises(ValueError, match="at least one"):
            store.prune(NAME, 0)

    def test_old_candidates_and_leftovers_go_fresh_ones_stay(self, store: ModelStore) -> None:
        published(store, 0.5)
        folder = store.root / NAME
        candidates = [store.stage(NAME, state(), CARD) for _ in range(3)]
        old = folder / ".current-killed"
        old.write_text("1")
        rest = folder / ".candidates" / ".stage-killed"
        rest.mkdir()
        store.prune(NAME, 1)
        assert old.exists() and rest.exists() and len(store.candidates(NAME)) == 3
        yesterday = time.time() - 25 * 3600
        for path in (old, rest, *(folder / ".candidates" / candidate for candidate in candidates)):
            os.utime(path, (yesterday, yesterday))
        store.prune(NAME, 1)
        assert not old.exists() and not rest.exists()
        assert [kept.id for kept in store.candidates(NAME)] == [max(candidates)]
        assert store.load(NAME).version == 1


def test_a_store_that_cannot_be_written_is_one_sentence(store: ModelStore) -> None:
    published(store, 0.25, 0.5)
    pointer = store.root / NAME / "current"
    pointer.unlink()
    pointer.mkdir()
    with pytest.raises(ModelError, match="ct_classifier cannot be changed"):
        store.rollback(NAME)

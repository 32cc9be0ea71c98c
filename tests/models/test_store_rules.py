"""Any order of publications, rollbacks, prunings and damage: the store answers as a few dictionaries would."""

import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pneumoscreen.errors import ModelError
from pneumoscreen.models.store import CARD_FIELDS, WEIGHTS_FILE, ModelStore, NothingBeforeError

NAME = "ct_classifier"
CARD = dict.fromkeys(CARD_FIELDS, "test")


class StoreMachine(RuleBasedStateMachine):
    """Beside the store: what each version replaced, which are damaged, and which one is in use."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.store = ModelStore(Path(self._folder.name) / "models")
        self.replaced: dict[int, int | None] = {}
        self.damaged: set[int] = set()
        self.current: int | None = None
        self.given = 0

    def teardown(self) -> None:
        self._folder.cleanup()

    def before(self, version: int) -> int | None:
        replaced = self.replaced[version]
        if replaced in self.replaced:
            return replaced
        return max((other for other in self.replaced if other < version), default=None)

    def chain(self) -> list[int]:
        versions, version = [], self.current
        while version is not None:
            versions.append(version)
            version = self.before(version)
        return versions

    @rule()
    def publish(self) -> None:
        self.given += 1
        assert self.store.publish(NAME, {"w": torch.tensor([self.given])}, CARD) == self.given
        self.replaced[self.given] = self.current
        self.current = self.given

    @precondition(lambda self: self.replaced)
    @rule()
    def go_back(self) -> None:
        whole = [version for version in self.chain()[1:] if version not in self.damaged]
        if not whole:
            with pytest.raises(NothingBeforeError):
                self.store.rollback(NAME)
            return
        assert self.store.rollback(NAME) == whole[0]
        self.current = whole[0]

    @precondition(lambda self: self.replaced)
    @rule(data=st.data())
    def put_into_use(self, data: st.DataObject) -> None:
        version = data.draw(st.sampled_from(sorted(self.replaced)))
        if version in self.damaged:
            with pytest.raises(ModelError):
                self.store.rollback(NAME, version)
            return
        assert self.store.rollback(NAME, version) == version
        self.current = version

    @precondition(lambda self: self.replaced)
    @rule(data=st.data())
    def damage(self, data: st.DataObject) -> None:
        version = data.draw(st.sampled_from(sorted(self.replaced)))
        (self.store.folder(NAME, version) / WEIGHTS_FILE).write_bytes(b"")
        self.damaged.add(version)

    @precondition(lambda self: self.replaced)
    @rule(keep=st.integers(1, 3))
    def prune(self, keep: int) -> None:
        assert self.current is not None
        kept = {self.current, self.before(self.current), *sorted(self.replaced)[-keep:]}
        removed = sorted(set(self.replaced) - kept)
        assert self.store.prune(NAME, keep) == removed
        for version in removed:
            del self.replaced[version]

    @invariant()
    def the_store_agrees(self) -> None:
        assert self.store.versions(NAME) == sorted(self.replaced)
        assert self.store.current(NAME) == self.current
        whole = [version for version in self.chain() if version not in self.damaged]
        if not whole:
            with pytest.raises(ModelError, match="no usable weights"):
                self.store.load(NAME)
            return
        weights = self.store.load(NAME)
        assert (weights.version, int(weights.state["w"][0])) == (whole[0], whole[0])
        assert len(weights.notes) == self.chain().index(whole[0])


TestStoreRules = StoreMachine.TestCase
TestStoreRules.settings = settings(max_examples=15, stateful_step_count=12, deadline=None)

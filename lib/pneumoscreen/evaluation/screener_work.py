"""Jobs that need the networks in use: each worker loads them for itself, the command's own process has them."""

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from ..errors import ModelError
from ..models.store import ModelStore
from ..workers.pool import Ask, JobT, ResultT, Work


class HasModels(Protocol):
    """The loaded networks of a method."""

    @property
    def models(self) -> Any:
        """Their versions by name."""


ScreenerT = TypeVar("ScreenerT", bound=HasModels)


class ScreenerWork(Work[JobT, ResultT], Generic[ScreenerT, JobT, ResultT]):
    """Work with the networks in use.

    Args:
        screener: those of this process.
        load: loads the same ones from a store on a device.
        store: where they lie.
    """

    def __init__(self, screener: ScreenerT, load: Callable[[ModelStore, str], ScreenerT], store: ModelStore) -> None:
        self.screener = screener
        self._load, self._store, self._models = load, store, dict(screener.models)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "screener"}

    def begin(self, device: str, ask: Ask | None) -> None:
        """Load the networks where another process has them.

        Raises:
            ModelError: if they cannot be loaded, or are not those that the command began with.
        """
        if "screener" in vars(self):
            return
        self.screener = self._load(self._store, device)
        if dict(self.screener.models) != self._models:
            raise ModelError("other networks are in use than when the command began; give it again")

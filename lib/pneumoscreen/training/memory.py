"""A step that does not fit into memory is done in parts.

Ours. The batch is halved until it fits, and the gradients of the parts are added up: the steps, the samples in them
and their order stay those of the whole batch. Only batch normalisation sees the parts one by one.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from ..errors import PneumoScreenError

_SAID_BY_TORCH = ("not enough memory", "can't allocate memory", "out of memory", "alloc_failed")

T = TypeVar("T")


class MemoryShortageError(PneumoScreenError):
    """Not even the smallest part of a step fits into memory."""


class PartedBatch:
    """Into how many parts a batch is cut.

    Args:
        batch: samples of this process in a step.
        parts: to begin with; a resumed run goes on with as many as it had.
        smallest: samples that a part must have.
        say: told when a batch is halved.
    """

    def __init__(self, batch: int, parts: int = 1, smallest: int = 1, say: Callable[[str], None] = print) -> None:
        self.batch, self.parts = batch, parts
        self._smallest, self._say = smallest, say

    def run(self, step: Callable[[int], T]) -> T:
        """Do a step in as many parts as memory needs.

        Args:
            step: takes the number of parts; begins anew each time, with the same random numbers.

        Raises:
            MemoryShortageError: if it does not fit in the smallest parts.
        """
        while True:
            try:
                return step(self.parts)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # Here the failed attempt's tensors are gone with its traceback.
            self._halve()

    def rows(self, count: int, parts: int) -> Iterator[slice]:
        """Rows of the parts of ``count`` samples, as even as can be."""
        edges = [round(count * part / parts) for part in range(parts + 1)]
        return (slice(a, b) for a, b in itertools.pairwise(edges) if b > a)

    def _halve(self) -> None:
        if self.batch // (2 * self.parts) < self._smallest:
            size = self.batch // self.parts
            raise MemoryShortageError(
                f"{size} sample{'s' if size != 1 else ''} at a time do not fit into memory; end other programs that "
                "use the device, train on another device, or choose a smaller network or crop"
            )
        self.parts *= 2
        self._say(f"memory is short: batches of {self.batch} are done in {self.parts} parts from here on")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch ran out of memory, of the GPU or of the computer."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in _SAID_BY_TORCH)

"""Undo and redo over values that never change."""

from typing import Callable, Generic, List, Optional, TypeVar

State = TypeVar("State")


class History(Generic[State]):
    """The states of a piece of work, one of which holds now.

    Args:
        first: where it begins; nothing undoes that.
    """

    def __init__(self, first: State) -> None:
        self._states: List[State] = [first]
        self._at = 0
        self._topic: Optional[str] = None

    @property
    def now(self) -> State:
        """The state that holds."""
        return self._states[self._at]

    @property
    def can_undo(self) -> bool:
        """Whether there is a state before."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """Whether something was undone and nothing new done since."""
        return self._at + 1 < len(self._states)

    def record(self, state: State, topic: Optional[str] = None) -> None:
        """Go on to a new state; what was undone is gone.

        Args:
            state: what holds from now on.
            topic: changes of one topic in a row, such as the letters of a note, are undone together.
        """
        goes_on = topic is not None and topic == self._topic and self.can_undo and not self.can_redo
        kept = self._at if goes_on else self._at + 1
        self._states[kept:] = [state]
        self._at, self._topic = kept, topic

    def pause(self) -> None:
        """End the topic: the next change is undone by itself."""
        self._topic = None

    def undo(self) -> None:
        """Go one state back, where there is one."""
        self._at, self._topic = max(self._at - 1, 0), None

    def redo(self) -> None:
        """Go one undone state forward, where there is one."""
        self._at, self._topic = min(self._at + 1, len(self._states) - 1), None

    def rewrite(self, change: Callable[[State], State]) -> None:
        """Change every state alike: for what is learnt of the work, not done to it, and so is no step to undo."""
        self._states = [change(state) for state in self._states]

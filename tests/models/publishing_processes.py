"""Run as a program: forks a process for each line it reads, ``<mode> <seed>``, that works in the store it was given.

Forked, because importing torch takes seconds and a test wants hundreds of processes. Nothing is computed before a
fork. Every line that a process prints is an acknowledgement of something that must last:

    pid <pid>                     the process has begun
    published <version> <value>   a version whose tensor holds this value
    using <version>               the version that a rollback put into use
    pruned <versions>             versions that were deleted on purpose
    ended <status>                printed by the parent when the process is gone
"""

import os
import random
import sys
from pathlib import Path

import torch

from pneumoscreen.models.store import CARD_FIELDS, ModelStore, NothingBeforeError

NAME = "ct_classifier"
CARD = dict.fromkeys(CARD_FIELDS, "test")


def tell(*words: object) -> None:
    """One line in one write: a kill cannot cut it."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def work(store: ModelStore, seed: int, rounds: int | None, keep: int | None) -> None:
    """Publish again and again, now and then go back, and where ``keep`` is given prune."""
    rng = random.Random(seed)
    done = 0
    while rounds is None or done < rounds:
        done += 1
        value = seed * 1000 + done
        candidate = store.stage(NAME, {"w": torch.tensor([value])}, CARD)
        store.annotate(NAME, candidate, {"publication": {"reason": "none"}})
        tell("published", store.promote(NAME, candidate, {"notes": "x" * rng.randint(0, 10000)}), value)
        if rounds is None and rng.random() < 0.5:
            try:
                tell("using", store.rollback(NAME))
            except NothingBeforeError:
                continue
        if keep is not None:
            tell("pruned", *store.prune(NAME, keep))


def main() -> None:
    store = ModelStore(Path(sys.argv[1]))
    settings: dict[str, tuple[int | None, int | None]] = {
        "endless": (None, None),
        "pruning": (None, 2),
        "five": (5, None),
    }
    children = 0
    for line in sys.stdin:
        mode, seed = line.split()
        if mode == "wait":
            while children:
                _, status = os.wait()
                children -= 1
                tell("ended", status)
            continue
        if (pid := os.fork()) == 0:
            work(store, int(seed), *settings[mode])
            os._exit(0)
        children += 1
        tell("pid", pid)


if __name__ == "__main__":
    main()

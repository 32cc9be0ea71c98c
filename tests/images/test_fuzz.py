"""The short form of ``make fuzz``; and that a fault would be seen."""

from pathlib import Path

from pneumoscreen.server.store.reading import LimitedReading

from .fuzz import LIMITS, Seed, fuzz, make_seeds, mutated, outcome


def test_mutated_files_are_read_or_refused(tmp_path: Path) -> None:
    outcomes, faults = fuzz(0, 90, tmp_path)
    assert faults == {}
    assert set(outcomes) == {"read", "refused"}


def test_a_mutation_follows_from_its_number(tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    seed = make_seeds(tmp_path / "seeds")[0]
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made.append(mutated(seed, 7, tmp_path / name).read_bytes())
    assert made[0] == made[1] != seed.path.read_bytes()


def test_a_fault_is_seen(tmp_path: Path) -> None:
    def untyped(reading: LimitedReading, path: Path) -> object:
        raise KeyError(path)

    reading = LimitedReading(LIMITS)
    assert outcome(Seed(tmp_path, untyped), tmp_path, reading).startswith("untyped: KeyError")
    reading.close()

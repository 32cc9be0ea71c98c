from pathlib import Path

from pneumoscreen.bench.process import ScreeningRun
from pneumoscreen.bench.run import _cpu_figures, copies_of
from pneumoscreen.images import Input, find_inputs


def test_every_copy_is_an_input_of_its_own(tmp_path: Path) -> None:
    picture = tmp_path / "chest.png"
    picture.write_bytes(b"one picture")
    with copies_of(picture, 3) as copies:
        found = find_inputs(copies)
        assert [item.path for item in found if isinstance(item, Input)] == copies
        assert {copy.read_bytes() for copy in copies} == {b"one picture"}
    assert not any(copy.exists() for copy in copies)


def test_the_whole_command_the_first_case_and_the_later_ones_have_figures_of_their_own() -> None:
    def run(*totals: float, wall: float, cpu: float = 9.0, peak: float = 1.0) -> ScreeningRun:
        return ScreeningRun([{"lungs": total / 2, "total": total} for total in totals], wall, cpu, peak)

    alone = [run(3.9, wall=5.0, cpu=7.0), run(3.0, wall=5.9), run(4.5, wall=6.5)]
    row = run(9.0, 1.8, 2.4, 1.9, 3.0, wall=20.0, peak=2.0)
    figures = {figure.name: figure for figure in _cpu_figures(alone, row, run(5.0, wall=9.0, peak=1.8))}
    told = {name: (figure.value, figure.target, figure.verdict) for name, figure in figures.items()}
    assert told["512x512x70: the whole command"] == (5.9, 6.0, "pass")
    assert told["512x512x70: the whole command, work of both cores"] == (9.0, None, "")
    assert told["512x512x70: first case, read to report"] == (3.9, 4.0, "pass")
    assert told["512x512x70: later cases, read to report"] == (2.15, 2.0, "miss")
    assert told["512x512x70: later cases: lungs"][0] == 1.075
    assert told["512x512x70: peak memory"] == (2.0, 3.0, "pass")
    assert told["512x512x300: read to report"] == (5.0, 6.0, "pass")
    assert told["512x512x300: peak memory"] == (1.8, 1.7, "miss")

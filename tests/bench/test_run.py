from pathlib import Path

from pneumoscreen.bench.run import copies_of
from pneumoscreen.images import Input, find_inputs


def test_every_copy_is_an_input_of_its_own(tmp_path: Path) -> None:
    picture = tmp_path / "chest.png"
    picture.write_bytes(b"one picture")
    with copies_of(picture, 3) as copies:
        found = find_inputs(copies)
        assert [item.path for item in found if isinstance(item, Input)] == copies
        assert {copy.read_bytes() for copy in copies} == {b"one picture"}
    assert not any(copy.exists() for copy in copies)

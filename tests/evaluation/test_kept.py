"""A record is used again only if all that it was made of is the same."""

from pathlib import Path

import pytest

from pneumoscreen.evaluation.kept import KeptRecords

MADE_BY = (1, [{"net": "abc"}])


def test_a_record_comes_back_while_nothing_changes(tmp_path: Path) -> None:
    kept = KeptRecords(tmp_path / "outcomes", *MADE_BY)
    assert kept.find("case", "origin") is None
    kept.keep("case", "origin", content={"outcome": [1.5, None]})
    found = KeptRecords(tmp_path / "outcomes", *MADE_BY).find("case", "origin")
    assert found is not None and found["outcome"] == [1.5, None]


@pytest.mark.parametrize(
    ("form", "networks", "case_id", "origin"),
    [
        (2, [{"net": "abc"}], "case", "origin"),
        (1, [{"net": "abd"}], "case", "origin"),
        (1, [{"net": "abc"}], "Case", "origin"),
        (1, [{"net": "abc"}], "case", "changed"),
    ],
)
def test_what_was_made_otherwise_is_not_taken(
    tmp_path: Path, form: int, networks: list[object], case_id: str, origin: str
) -> None:
    KeptRecords(tmp_path, *MADE_BY).keep("case", "origin", content={"outcome": 1})
    assert KeptRecords(tmp_path, form, networks).find(case_id, origin) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"outcome": 1}'])
def test_a_damaged_record_counts_as_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "case.json").write_bytes(content)
    assert KeptRecords(tmp_path, *MADE_BY).find("case", "origin") is None

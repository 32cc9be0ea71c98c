import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from PneumoScreenLib.reading.drafts import Drafts


def test_a_draft_is_kept_and_removed(tmp_path: Path) -> None:
    drafts = Drafts(str(tmp_path / "drafts"))
    assert drafts.restore("a/b") is None
    drafts.store("a/b", '{"base": 1}')
    drafts.store("a/b", '{"base": 2}')
    drafts.store("other", '{"base": 3}')
    assert Drafts(str(tmp_path / "drafts")).restore("a/b") == {"base": 2}
    drafts.remove("a/b")
    drafts.remove("a/b")
    assert drafts.restore("a/b") is None and drafts.restore("other") == {"base": 3}


def test_a_damaged_draft_is_set_aside_not_deleted(tmp_path: Path) -> None:
    drafts = Drafts(str(tmp_path))
    drafts.store("case", '{"base": 1}')
    (file,) = tmp_path.glob("*.json")
    file.write_text('{"half', encoding="utf-8")
    assert drafts.restore("case") is None
    assert [path.read_text(encoding="utf-8") for path in tmp_path.glob("*.damaged")] == ['{"half']


def test_a_draft_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    drafts = Drafts(str(tmp_path))
    drafts.store("case", '{"base": 1}')
    # What no file can hold: half of a surrogate pair.
    with pytest.raises(UnicodeEncodeError):
        drafts.store("case", '{"note": "\ud800"}')
    assert drafts.restore("case") == {"base": 1}
    assert len(list(tmp_path.iterdir())) == 1


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda values: st.one_of(st.lists(values, max_size=3), st.dictionaries(st.text(), values, max_size=3)),
    max_leaves=8,
)


@given(case_id=st.text(st.characters(codec="utf-8"), min_size=1), draft=st.dictionaries(st.text(), JSON, max_size=4))
def test_any_draft_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, case_id: str, draft: dict) -> None:
    drafts = Drafts(str(tmp_path_factory.getbasetemp() / "any"))
    drafts.store(case_id, json.dumps(draft))
    assert drafts.restore(case_id) == draft
    drafts.remove(case_id)

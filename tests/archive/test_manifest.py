"""What became of each image, on the disk."""

from dataclasses import replace
from pathlib import Path

import pytest

from pneumoscreen.archive.manifest import FAILED, FILE, REFUSED, SCREENED, Manifest, Row
from pneumoscreen.output import OutputError

ROW = Row("k1", "a/one.nii.gz", "CT", "s1", seen=1)


@pytest.fixture
def manifest(tmp_path: Path):
    made = Manifest(tmp_path)
    yield made
    made.close()


def test_a_row_comes_back_as_it_was_entered(manifest: Manifest) -> None:
    full = replace(
        ROW, state=SCREENED, case_id="c", folder="cases/ab", sha256="f" * 64, verdict="covid19", words="COVID-19",
        decided=False, infection=0.25, models="{}", program="0.1.0", deaths=2, seconds=1.5, ended=9.0,
    )  # fmt: skip
    for row in (ROW, full):
        manifest.put(row)
        assert manifest.get("k1") == row
    assert manifest.get("k2") is None
    assert [row.key for row in manifest.rows()] == ["k1"]


def test_what_was_entered_is_there_for_the_next_run(tmp_path: Path) -> None:
    first = Manifest(tmp_path)
    run = first.begin_run()
    first.put(replace(ROW, state=REFUSED, reason="why", kind="DamagedError"))
    first.end_search(run)
    first.close()
    second = Manifest(tmp_path)
    assert second.begin_run() == run + 1
    assert second.last_full_search() == run
    assert second.counts("state") == {REFUSED: 1}
    second.saw("k1", run + 1)
    second.end_search(run + 1)
    found = second.get("k1")
    assert found is not None
    assert (found.reason, found.seen) == ("why", run + 1)
    second.close()


def test_counts_name_the_commonest_first(manifest: Manifest) -> None:
    for number, state in enumerate((FAILED, SCREENED, SCREENED)):
        manifest.put(replace(ROW, key=f"k{number}", state=state, modality="CT" if number else "CXR"))
    assert list(manifest.counts("state").items()) == [(SCREENED, 2), (FAILED, 1)]
    assert manifest.counts("state", "modality = ?", "CXR") == {FAILED: 1}


def test_a_second_run_on_the_same_folder_is_refused(manifest: Manifest, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="another run is writing into it"):
        Manifest(tmp_path)


def test_a_file_that_is_no_manifest_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"no database" * 100)
    with pytest.raises(OutputError, match=r"manifest\.sqlite: cannot be used"):
        Manifest(tmp_path)

"""``pneumoscreen evaluate --cases TABLE``: a site's own scans, with the shipped weights and with narrow ones."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pneumoscreen.case import Case
from pneumoscreen.ct.phantoms.phantom import PhantomSpec
from pneumoscreen.ct.phantoms.studies import write_studies
from pneumoscreen.ct.screening import Screener

SPEC = PhantomSpec(matrix=96, slices=32)
DIAGNOSES = {"phantom-000021": "covid19", "phantom-000022": "influenza_a", "phantom-000023": "no_infection_found"}
TABLE = """path,patient,class,left,right,use
scans/phantom-000021.nii.gz,P1,covid19,,,measure
scans/phantom-000022.nii.gz,P2,influenza_a,,,train
scans/phantom-000023.nii.gz,P3,healthy,clear,clear,measure
scans/damaged.nii.gz,P4,cap,,,measure
"""


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three phantoms as NIfTI files, a damaged file, and their table; not to be changed."""
    folder = tmp_path_factory.mktemp("site")
    for number, diagnosis in enumerate(DIAGNOSES.values()):
        write_studies(folder / "scans", 1, 21 + number, SPEC, diagnosis=diagnosis)
    shutil.rmtree(folder / "scans" / "labels")
    (folder / "scans" / "damaged.nii.gz").write_bytes(b"no scan at all")
    (folder / "table.csv").write_text(TABLE, encoding="utf-8")
    return folder


@pytest.fixture
def site(written: Path, tmp_path: Path) -> Path:
    """A copy of the site's folder that a test may change."""
    return Path(shutil.copytree(written, tmp_path / "site"))


@pytest.fixture
def screened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the scans that went through the networks."""
    names: list[str] = []
    screen = Screener.screen

    def count(self: Screener, volume: Any, *args: Any, **options: Any) -> Any:
        names.append(volume.case_id)
        return screen(self, volume, *args, **options)

    monkeypatch.setattr(Screener, "screen", count)
    return names


def test_the_shipped_weights_on_three_phantoms_and_a_damaged_file(
    run: Callable[..., Any], site: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ended = run("evaluate", "--cases", site / "table.csv", "--out", out, "--where", "use=measure", "--json")
    assert ended.status == 0, ended.err
    document = json.loads(ended.out)
    assert document == json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    assert document["where"] == ["use=measure"]
    assert document["figures"]["scans"] == 3
    scans = {scan["path"]: scan for scan in document["scans"]}
    covid, influenza, healthy, damaged = scans.values()
    assert [scan["counted"] for scan in scans.values()] == [True, False, True, True]
    assert covid["flagged"]
    assert influenza["flagged"]
    assert (healthy["verdict"], healthy["false_regions"]) == ("no_infection_found", 0)
    assert (damaged["verdict"], damaged["flagged"], damaged["case_id"]) == (None, False, None)
    assert "scans/damaged.nii.gz" in damaged["refused"]
    assert str(tmp_path) not in (out / "evaluation.json").read_text(encoding="utf-8")
    assert (document["figures"]["sensitivity"]["part"], document["figures"]["sensitivity"]["of"]) == (1, 2)
    assert (document["figures"]["specificity"]["part"], document["figures"]["specificity"]["of"]) == (1, 1)
    assert set(document["models"]) == {"ct_candidates", "ct_classifier"}
    # Each with its own document and report, as `screen` writes them.
    case = Case.from_json((out / covid["document"]).read_text(encoding="utf-8"))
    assert sum(region.label != "irrelevant" for region in case.regions) == sum(covid["regions"].values())
    assert covid["affected_percent"] == {side: lung.affected_percent for side, lung in case.lungs.items()}
    assert {"read", "report", "total"} <= set(case.timings_s)
    page = (out / "evaluation.html").read_text(encoding="utf-8")
    for scan in (covid, influenza, healthy):
        assert (out / scan["report"]).is_file()
        assert f'href="{scan["report"]}"' in page
    assert page.count("data:image/jpeg") == 3
    assert str(tmp_path) not in page
    text = (out / "evaluation.txt").read_text(encoding="utf-8")
    assert "sensitivity (pneumonia that is flagged): 1 of 2" in text
    assert [line.split(" ")[0] for line in ended.refusals()[:4]] == ["1/4", "2/4", "3/4", "4/4"]


def test_a_second_run_screens_only_what_changed(
    run: Callable[..., Any], site: Path, narrow_models: Path, screened: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ["evaluate", "--cases", site / "table.csv", "--out", out, "--model-dir", narrow_models, "--json"]
    first = run(*words)
    assert first.status == 0, first.err
    assert screened == list(DIAGNOSES)
    screened.clear()
    again = run(*words)
    assert screened == []
    assert again.out == first.out  # times included: they are those of the first run
    assert "3 scans of 4 screened before" in again.err
    # Other conditions need no other screening.
    assert run(*words, "--where", "use=train").status == 0
    assert screened == []
    # A document that somebody changed, a report that is gone, a scan that is another one.
    with (out / "phantom-000021.json").open("a", encoding="utf-8") as file:
        file.write("\n")
    (out / "phantom-000022.html").unlink()
    assert run(*words).status == 0
    assert screened == ["phantom-000021", "phantom-000022"]
    screened.clear()
    shutil.copy(site / "scans" / "phantom-000022.nii.gz", site / "scans" / "phantom-000023.nii.gz")
    assert run(*words).status == 0
    assert screened == ["phantom-000023"]


def test_an_interrupted_run_goes_on_where_it_stopped(
    run: Callable[..., Any],
    site: Path,
    narrow_models: Path,
    screened: list[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    words = ["evaluate", "--cases", site / "table.csv", "--out", tmp_path / "out", "--model-dir", narrow_models]
    whole = Screener.screen

    def interrupted(self: Screener, volume: Any, *args: Any, **options: Any) -> Any:
        if screened:
            raise KeyboardInterrupt
        return whole(self, volume, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Screener, "screen", interrupted)
        assert run(*words).status == 130
    assert screened == ["phantom-000021"]
    ended = run(*words)
    assert ended.status == 0, ended.err
    assert screened == list(DIAGNOSES)
    assert "1 scan of 4 screened before" in ended.err


def test_other_weights_screen_anew(
    run: Callable[..., Any], site: Path, narrow_models: Path, screened: list[str], tmp_path: Path
) -> None:
    (site / "table.csv").write_text("\n".join(TABLE.splitlines()[:2]) + "\n", encoding="utf-8")
    words = ["evaluate", "--cases", site / "table.csv", "--out", tmp_path / "out"]
    assert run(*words, "--model-dir", narrow_models).status == 0
    assert run(*words).status == 0
    assert screened == ["phantom-000021"] * 2


def test_a_fault_with_one_scan_does_not_cost_the_others_theirs(
    run: Callable[..., Any], site: Path, narrow_models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = Screener.screen

    def faulty(self: Screener, volume: Any, *args: Any, **options: Any) -> Any:
        if volume.case_id == "phantom-000021":
            raise ZeroDivisionError("nobody thought of this")
        return whole(self, volume, *args, **options)

    monkeypatch.setattr(Screener, "screen", faulty)
    out = tmp_path / "out"
    ended = run("evaluate", "--cases", site / "table.csv", "--out", out, "--model-dir", narrow_models, "--json")
    assert ended.status == 1
    first, second, *_ = json.loads(ended.out)["scans"]
    assert "a fault of the program (ZeroDivisionError: nobody thought of this)" in first["refused"]
    assert second["refused"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cases", "{site}/absent.csv"], "absent.csv cannot be read"),
        (["--cases", "{site}/table.csv", "--where", "use=nothing"], "no row meets --where use=nothing"),
        (["--cases", "{site}/table.csv", "--studies", "{site}"], "--studies does not go with --cases"),
        (["--cases", "{site}/table.csv", "--calibrate"], "--calibrate does not go with --cases"),
        (["--cases", "{site}/table.csv", "--seed", "3"], "--seed does not go with --cases"),
        (["--cases", "3", "--where", "use=measure"], "--where use=measure needs --cases TABLE"),
        (["--where", "use=measure"], "--where use=measure needs --cases TABLE"),
        (["--cases", "0"], "--cases 0: at least 1 synthetic case"),
        (["--cases", "-3"], "--cases -3: at least 1 synthetic case"),
    ],
)
def test_bad_options_cost_one_line(
    words: list[str], said: str, run: Callable[..., Any], written: Path, narrow_models: Path, tmp_path: Path
) -> None:
    given = [word.format(site=written) for word in words]
    ended = run("evaluate", "--out", tmp_path / "out", "--model-dir", narrow_models, *given)
    assert (ended.status, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert said in ended.err


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("scans/gone.nii.gz,P5,cap,,,x", "row 6: column path names 'scans/gone.nii.gz', which does not exist"),
        ("scans/../scans/damaged.nii.gz,P5,cap,,,x", "which row 5 names already"),
        ("scans,P5,cap,ill,,x", "row 6: column left says 'ill'"),
        ("scans,P5,bacterial,infected,,x", "row 6: column left says infected, but column class says 'bacterial'"),
    ],
)
def test_a_bad_row_costs_one_line(
    row: str, said: str, run: Callable[..., Any], site: Path, narrow_models: Path, tmp_path: Path
) -> None:
    (site / "table.csv").write_text(f"{TABLE}{row}\n", encoding="utf-8")
    ended = run("evaluate", "--cases", site / "table.csv", "--out", tmp_path / "out", "--model-dir", narrow_models)
    assert (ended.status, ended.out) == (2, "")
    assert len(ended.refusals()) == 1
    assert said in ended.refusals()[0]
    assert "table.csv" in ended.refusals()[0]

"""The table of a site's scans: what it may say, and one sentence for what it may not."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from pneumoscreen.evaluation.site_cases import (
    Condition,
    TableError,
    check_classes,
    find_scans,
    parse_conditions,
    pneumonias,
    read_table,
)
from pneumoscreen.images.inputs import Input, Refused
from pneumoscreen.verdict import DEFAULT_CLASSES, Classes

HEAD = "path,class,left,right\n"


def write(folder: Path, text: str, *scans: str) -> Path:
    """A table, and empty files in the place of its scans."""
    for scan in scans:
        (folder / scan).parent.mkdir(parents=True, exist_ok=True)
        (folder / scan).touch()
    table = folder / "table.csv"
    table.write_text(text, encoding="utf-8")
    return table


def test_a_lung_may_have_a_readers_score(tmp_path: Path) -> None:
    text = "path,class,left,right,score_left,score_right\na.png,cap,,,6.5,\nb.png,cap,,,0,9\n"
    first, second = read_table(write(tmp_path, text, "a.png", "b.png"))
    assert (first.scores, second.scores) == ({"left": 6.5}, {"left": 0.0, "right": 9.0})


def test_columns_may_stand_in_any_order_beside_others(tmp_path: Path) -> None:
    text = (
        "\ufeffNote;Right;Left;Class;Path;Patient\n\nx;clear; Infected ;COVID19;below/a.nii.gz;P1\n;;;other;b.nii.gz;\n"
    )
    table = write(tmp_path, text, "below/a.nii.gz", "b.nii.gz")
    first, second = read_table(table)
    assert (first.path, first.patient, first.label) == ("below/a.nii.gz", "P1", "covid19")
    assert first.lungs == {"left": "infected", "right": "clear"}
    assert first.file == tmp_path / "below" / "a.nii.gz"
    assert (second.patient, second.lungs, second.counted) == ("b.nii.gz", {}, True)
    assert (first.row, second.row) == (3, 4)  # as a spreadsheet numbers them, the empty line included


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (HEAD, "has no rows"),
        ("path,class,left\na.nii.gz,covid19,clear\n", "row 1 has no column right"),
        ("path,class,left,right,left\na.nii.gz,cap,,,\n", "names column left twice"),
        (f"{HEAD}a.nii.gz,covid19,infekted,clear\n", "row 2: column left says 'infekted'"),
        ("path,class,left,right,score_left\na.nii.gz,cap,,,10\n", "row 2: column score_left says '10'"),
        ("path,class,left,right,score_right\na.nii.gz,cap,,,much\n", "row 2: column score_right says 'much'"),
        (f"{HEAD}a.nii.gz,covid19,,clear\nb.nii.gz,cap,,sick\n", "row 3: column right says 'sick'"),
        (f"{HEAD}gone.nii.gz,covid19,,\n", "row 2: column path names 'gone.nii.gz', which does not exist"),
        (f"{HEAD},covid19,,\n", "row 2: column path is empty"),
        (f"{HEAD}a.nii.gz,,clear,clear\n", "row 2: column class is empty"),
        (
            f"{HEAD}a.nii.gz,cap,,\nb.nii.gz,cap,,\n./a.nii.gz,cap,,\n",
            "row 4: column path names './a.nii.gz', which row 2",
        ),
    ],
)
def test_a_bad_table_costs_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    table = write(tmp_path, text, "a.nii.gz", "b.nii.gz")
    with pytest.raises(TableError) as raised:
        read_table(table)
    assert str(raised.value).startswith(str(table))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_table_that_is_absent_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="cannot be read"):
        read_table(tmp_path / "absent.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(TableError, match="no CSV in UTF-8"):
        read_table(tmp_path / "binary.csv")


def test_conditions_of_one_column_are_alternatives_and_of_two_must_both_hold(tmp_path: Path) -> None:
    rows = "a,cap,,,measure,x\nb,cap,,,train,x\nc,cap,,,Other,y\n"
    table = write(tmp_path, f"path,class,left,right,use,site\n{rows}", "a", "b", "c")

    def counted(*texts: str) -> list[str]:
        return [case.path for case in read_table(table, parse_conditions(texts)) if case.counted]

    assert counted() == ["a", "b", "c"]
    assert counted("use=measure") == ["a"]
    assert counted("use=measure", "USE=other") == ["a", "c"]
    assert counted("use=measure", "use=train", "site=x") == ["a", "b"]
    assert len(read_table(table, [Condition("use", "train")])) == 3  # the others stay, uncounted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("use", "--where 'use' is not COLUMN=VALUE"),
        ("=x", "is not COLUMN=VALUE"),
        ("user=x", "has no column user for --where user=x"),
        ("use=measur", "no row meets --where use=measur; column use holds measure, train"),
    ],
)
def test_a_condition_that_cannot_be_meant_costs_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    table = write(tmp_path, "path,class,left,right,use\na,cap,,,measure\nb,cap,,,train\n", "a", "b")
    with pytest.raises(TableError) as raised:
        read_table(table, parse_conditions([text]))
    assert said in str(raised.value)


def test_a_misspelt_pneumonia_does_not_count_as_none(tmp_path: Path) -> None:
    table = write(tmp_path, f"{HEAD}a,covid-19,clear,infected\n", "a")
    rows = read_table(table)
    with pytest.raises(TableError, match=r"row 2: column right says infected, but column class says 'covid-19'"):
        check_classes(table, rows, pneumonias(DEFAULT_CLASSES))
    check_classes(table, rows, pneumonias(Classes(infections=("covid-19",))))
    assert pneumonias(DEFAULT_CLASSES) == ("covid19", "influenza_a", "cap")


def volume(path: Path, side: int) -> None:
    path.parent.mkdir(exist_ok=True)
    noise = np.random.default_rng(0).integers(-1000, 1000, (side, side, side)).astype(np.int16)
    sitk.WriteImage(sitk.GetImageFromArray(noise), path)


def test_scans_get_names_of_their_own(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        volume(tmp_path / folder / "scan.nii.gz", 16)
    volume(tmp_path / "evaluation.nii.gz", 16)
    table = write(
        tmp_path, f"{HEAD}a/scan.nii.gz,cap,,\nb/scan.nii.gz,cap,,\nevaluation.nii.gz,cap,,\nbad.txt,cap,,\n", "bad.txt"
    )
    *scans, refused = find_scans(table, read_table(table))
    # evaluation.json is the page's own file.
    assert [scan.case_id for scan in scans if isinstance(scan, Input)] == ["scan", "scan_2", "evaluation_2"]
    assert isinstance(refused, Refused)


def test_of_a_folder_the_scan_is_taken_and_not_what_is_made_of_it(tmp_path: Path) -> None:
    volume(tmp_path / "a" / "reduced.nii.gz", 16)
    volume(tmp_path / "a" / "whole.nii.gz", 32)
    table = write(tmp_path, f"{HEAD}a,cap,,\n")
    (scan,) = find_scans(table, read_table(table))
    assert scan.path == tmp_path / "a" / "whole.nii.gz"
    volume(tmp_path / "a" / "another.nii.gz", 31)
    with pytest.raises(TableError, match="row 2: column path names 'a', which holds 3 scans"):
        find_scans(table, read_table(table))


def test_an_x_ray_is_named(tmp_path: Path) -> None:
    table = write(tmp_path, f"{HEAD}chest.png,cap,,\n", "chest.png")
    with pytest.raises(TableError, match=r"row 2: column path names 'chest\.png', a chest X-ray"):
        find_scans(table, read_table(table))


def test_a_drawn_opacity_is_a_file_beside_the_table(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "drawn.png"):
        (tmp_path / name).write_bytes(b"")
    table = tmp_path / "films.csv"
    table.write_text("path,class,left,right,opacity\na.png,cap,,,drawn.png\nb.png,healthy,,,\n", encoding="utf-8")
    first, second = read_table(table)
    assert (first.opacity, second.opacity) == (tmp_path / "drawn.png", None)
    table.write_text("path,class,left,right,opacity\na.png,cap,,,gone.png\n", encoding="utf-8")
    with pytest.raises(TableError, match=r"row 2: column opacity names 'gone\.png', which does not exist"):
        read_table(table)

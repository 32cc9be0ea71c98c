"""Ids and sources of screened cases: the same tomorrow, of no other case, and in letters of any script."""

import shutil
import unicodedata

import pytest
from tests.images.radiographs import write_dataset

from pneumoscreen.images import Input
from pneumoscreen.images.case_ids import readable, stable_id
from pneumoscreen.images.inputs import search
from pneumoscreen.images.naming import Namer
from pneumoscreen.images.raw import hash_files
from pneumoscreen.studies.layout import is_plain_name


def named(*paths, anonymous=False):
    """Ids by sources of what one run finds."""
    namer = Namer(anonymous)
    items = [item for item in search(paths) if isinstance(item, Input)]
    return {namer.source(item): namer.case_id(item, digest(item)) for item in items}


def digest(item):
    return hash_files(dict.fromkeys(header.path for header in item.headers) or [item.path])


def write(folder, **contents):
    for name, content in contents.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(f"{path.name}.png").write_bytes(content)
    return folder


def test_the_same_names_in_two_runs_have_other_ids(tmp_path):
    write(tmp_path / "input", patA__ST1__SE1__IM1=b"a", patB__ST1__SE1__IM1=b"b")
    first, second = named(tmp_path / "input" / "patA"), named(tmp_path / "input" / "patB")
    assert list(first) == list(second) == ["ST1/SE1/IM1.png"]
    ids = [*first.values(), *second.values()]
    assert [name.rpartition("-")[0] for name in ids] == ["patA_ST1_SE1_IM1", "patB_ST1_SE1_IM1"]
    assert len({name.lower() for name in ids}) == 2
    # Elsewhere, but named alike: the bytes tell them apart.
    write(tmp_path / "other", patA__ST1__SE1__IM1=b"c")
    (third,) = named(tmp_path / "other" / "patA").values()
    assert third not in ids and third.startswith("patA_ST1_SE1_IM1-")


def test_an_id_does_not_go_by_what_lies_beside_the_case(tmp_path):
    folder = write(tmp_path / "in", m=b"m")
    before = named(folder)
    write(folder, a=b"a", sub__m=b"m2", n=b"n")
    after = named(folder)
    assert after["m.png"] == before["m.png"]
    assert len(set(after.values())) == 4
    shutil.copytree(folder, tmp_path / "tomorrow" / "in")
    assert named(tmp_path / "tomorrow" / "in") == after


def test_files_that_are_named_by_themselves_are_told_apart(tmp_path):
    write(tmp_path, patA__IM1=b"a", patB__IM1=b"b", patB__IM2=b"c")
    found = named(tmp_path / "patA" / "IM1.png", tmp_path / "patB" / "IM1.png", tmp_path / "patB" / "IM2.png")
    assert list(found) == ["patA/IM1.png", "patB/IM1.png", "IM2.png"]
    assert len(set(found.values())) == 3
    assert list(named(tmp_path / "patA", tmp_path / "patB")) == ["patA/IM1.png", "patB/IM1.png", "IM2.png"]


def test_letters_of_any_script_stay(tmp_path):
    names = ["张三", "李四", "王五", "Лёгкие", "صورة", "हिन्दी", "ไทย", "한국어", "Ngô Đình"]
    found = named(write(tmp_path / "in", **dict.fromkeys(names, b"x")))
    for name in names:
        plain = unicodedata.normalize("NFC", name).replace(" ", "_")
        assert found[f"{name}.png"].startswith(f"in_{plain}-")
    assert len(set(found.values())) == len(names)
    assert all(map(is_plain_name, found.values()))


def test_names_that_a_file_system_may_take_for_one_have_other_ids(tmp_path):
    names = ["CT", "ct", "caf\u00e9", "cafe\u0301", "a_b", "a b", "a;b", "..x", "x", "a__b", "a_b__c", "a__b_c"]
    found = list(named(write(tmp_path / "in", **{name: name.encode() for name in names})).values())
    ids = {unicodedata.normalize("NFC", name).lower() for name in found}
    assert len(found) >= 10  # a file system may have joined some already
    assert len(ids) == len(found)
    # The same bytes, too.
    found = list(named(write(tmp_path / "in", **dict.fromkeys(names, b"x"))).values())
    assert len({unicodedata.normalize("NFC", name).lower() for name in found}) == len(found)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("scan (1)", "scan_1"),
        ("\u202egpj.exe", "gpj.exe"),
        ("...", "case"),
        ("", "case"),
        ("🫁", "case"),
        ("a/../b", "a_._b"),
        ("con\x00trol\n", "con_trol"),
        ("cafe\u0301", "caf\u00e9"),
    ],
)
def test_a_readable_name(text, name):
    assert readable(text) == name
    assert is_plain_name(stable_id(text, "x"))


@pytest.mark.parametrize("letter", ["a", "é", "李", "𝒳", "हि"])
def test_long_names_are_cut_and_stay_apart(letter):
    first, second = (stable_id(letter * 300 + end, letter * 300 + end) for end in ("1", "2"))
    assert first != second
    assert len(first) <= 90 and len(first.encode()) <= 160
    assert is_plain_name(first)
    assert first.rpartition("-")[0].endswith("1")


def test_series_go_by_patient_and_series_and_xrays_by_their_instance(tmp_path, chest, files):
    folder = files.series(tmp_path / "exam", chest, SeriesInstanceUID="1.2.1", SeriesNumber=3)
    (before,) = named(folder).values()
    assert before.startswith("exam_series3-")
    for path in sorted(folder.iterdir())[:1]:
        path.rename(path.with_name("another name.dcm"))
    assert list(named(folder).values()) == [before]
    files.series(folder, chest, SeriesInstanceUID="1.2.2", SeriesNumber=3, PatientID="12")
    namer = Namer()
    ids = [namer.case_id(item, digest(item)) for item in search([folder])]
    assert before in ids and len(set(ids)) == 2
    (tmp_path / "x").mkdir()
    pair = [write_dataset(tmp_path / "x" / f"{name}.dcm", SeriesInstanceUID="1.5") for name in ("p", "q")]
    assert len(set(named(*pair).values())) == 2


def test_a_patients_name_stands_neither_in_id_nor_in_source(tmp_path, chest, files):
    folder = files.series(tmp_path / "ward" / "Mustermann Erika" / "ct", chest)
    for root in (tmp_path / "ward", folder.parent, folder):
        ((source, name),) = named(root).items()
        assert "uster" not in f"{source}{name}"
    (name,) = named(tmp_path / "ward").values()
    assert name.startswith("case-")


def test_anonymous_ids_and_sources_are_hashes_that_stay(tmp_path):
    folder = write(tmp_path / "Meier", Huber__a=b"a", Huber__b=b"b")
    found = named(folder, anonymous=True)
    assert len(found) == 2 and found == named(folder, anonymous=True)
    assert all(len(source) == 8 and int(source, 16) >= 0 for source in found)
    assert all(name.startswith("case-") for name in found.values())
    assert len(set(found.values())) == 2

"""Series over folders, damaged files and what they cost, and what is passed over (series_search)."""

import shutil

import numpy as np
import pytest
from tests.images.radiographs import write_dataset

from pneumoscreen.images import Input, Refused, find_inputs, read_input, read_volume
from pneumoscreen.images.found import PassedOver, folded
from pneumoscreen.images.inputs import search
from pneumoscreen.images.series_search import folders_of_series

SPLIT = "The series lies in 2 folders; they were read as one."


def split(folder, series, names=("000001", "000002"), of=lambda number: number % 2):
    """A series' files in several folders."""
    for number, path in enumerate(sorted(series.iterdir())):
        target = folder / names[of(number)]
        target.mkdir(parents=True, exist_ok=True)
        path.rename(target / path.name)
    return folder


def parts(found, kind):
    return [item for item in found if isinstance(item, kind)]


def test_a_series_in_several_folders_is_one_case(tmp_path, chest, files):
    folder = split(tmp_path / "exam", files.series(tmp_path / "whole", chest))
    (given,) = search([folder])
    assert given.path == folder / "000001"
    assert given.source_below == "000001"
    volume = read_input(given)
    np.testing.assert_array_equal(volume.hu, chest)
    assert SPLIT in volume.notes
    # By themselves, as a shell writes `exam/*`.
    (given,) = search(sorted(folder.iterdir()))
    np.testing.assert_array_equal(read_input(given).hu, chest)


def test_folders_at_different_depths_hold_one_series(tmp_path, chest, files):
    series = files.series(tmp_path / "whole", chest)
    folder = split(tmp_path / "exam", series, ("a/b/1", "c"), lambda number: number % 3 == 0)
    (given,) = search([folder])
    np.testing.assert_array_equal(read_input(given).hu, chest)


def test_series_of_other_patients_are_not_joined_though_their_uid_is_the_same(tmp_path, chest, files):
    for patient in ("1", "2"):
        files.series(tmp_path / patient, chest, PatientID=patient, SeriesInstanceUID="1.2.3")
    bare = [files.series(tmp_path / name, chest, SeriesInstanceUID=None) for name in ("3", "4")]
    found = search([tmp_path])
    assert [item.path.name for item in parts(found, Input)] == ["1", "2", "3", "4"]
    assert {len(item.headers) for item in found} == {len(chest)}
    assert all(path.is_dir() for path in bare)


def test_slices_of_a_series_that_have_studies_of_their_own_are_one_case(tmp_path, chest, files):
    folder = files.series(
        tmp_path / "ct", chest, lambda ds, z: files.set_fields(ds, PatientID="", StudyInstanceUID=f"1.2.{z}")
    )
    (given,) = search([folder])
    np.testing.assert_array_equal(read_input(given).hu, chest)


def test_whole_copies_of_a_series_are_cases_and_a_copy_of_a_part_is_passed_over(tmp_path, chest, files):
    whole = files.series(tmp_path / "b", chest)
    shutil.copytree(whole, tmp_path / "c")
    (tmp_path / "a").mkdir()
    for path in sorted(whole.iterdir())[:8]:
        shutil.copyfile(path, tmp_path / "a" / path.name)
    found = search([tmp_path])
    assert [item.path.name for item in parts(found, Input)] == ["b", "c"]
    copies = parts(found, PassedOver)
    assert {item.path.parent.name for item in copies} == {"a"} and len(copies) == 8
    assert all("copy" in item.reason for item in copies)


def test_a_slice_that_two_folders_share_counts_once(tmp_path, chest, files):
    folder = split(tmp_path / "exam", files.series(tmp_path / "whole", chest))
    shared = sorted((folder / "000001").iterdir())[0]
    shutil.copyfile(shared, folder / "000002" / f"again_{shared.name}")
    (given,) = search([folder])
    np.testing.assert_array_equal(read_input(given).hu, chest)


def test_a_damaged_slice_costs_its_own_series_and_no_other(tmp_path, chest, files):
    folder = files.series(tmp_path / "exam", chest, SeriesNumber=2, SeriesInstanceUID="1.2.1")
    for path in list(folder.iterdir()):
        path.rename(path.with_name("a" + path.name))
    files.series(folder, chest[::-1], SeriesNumber=5, SeriesInstanceUID="1.2.2")
    (folder / "aIM0003.dcm").write_bytes((folder / "aIM0003.dcm").read_bytes()[:-10])
    found = search([folder])
    (refused,) = parts(found, Refused)
    assert refused.reason == f"{folder} holds damaged DICOM files (aIM0003.dcm); copy the series again"
    (given,) = parts(found, Input)
    assert given.series_uid == "1.2.2" and given.notes == ()


def test_where_a_damaged_file_may_be_of_several_series_each_says_so(tmp_path, chest, files):
    folder = files.series(tmp_path / "exam", chest, SeriesNumber=2)
    for path in list(folder.iterdir()):
        path.rename(path.with_name("a" + path.name))
    files.series(folder, chest[::-1], SeriesNumber=5)
    (folder / "x.dcm").write_bytes(bytes(5000))
    found = search([folder])
    assert [item.path for item in parts(found, Refused)] == [folder / "x.dcm"]
    notes = [read_input(item).notes for item in parts(found, Input)]
    assert len(notes) == 2
    assert all(any("incomplete scan" in note for note in some) for some in notes)


def test_damage_in_one_folder_costs_the_series_that_goes_on_there(tmp_path, chest, files):
    folder = split(tmp_path / "exam", files.series(tmp_path / "whole", chest))
    victim = sorted((folder / "000002").iterdir())[0]
    victim.write_bytes(bytes(victim.stat().st_size))
    (refused,) = search([folder])
    assert isinstance(refused, Refused)
    assert refused.reason == f"{folder / '000002'} holds damaged DICOM files ({victim.name}); copy the series again"


@pytest.mark.parametrize("content", [b"", bytes(5000), b"something else" * 99])
def test_among_slices_without_suffix_a_file_that_is_none_was_a_slice(tmp_path, chest, files, content):
    folder = files.series(tmp_path / "ct", chest)
    for path in folder.iterdir():
        path.rename(path.with_suffix(""))
    (folder / "IM0099").write_bytes(content)
    (folder / "README").write_bytes(b"a text")
    found = search([folder])
    (refused,) = parts(found, Refused)
    assert "(IM0099)" in refused.reason
    assert [item.path.name for item in parts(found, PassedOver)] == ["README"]
    assert not parts(found, Input)


def test_an_index_a_scout_and_a_report_do_not_spoil_a_series(tmp_path, chest, files):
    folder = files.series(tmp_path / "exam" / "ct", chest)
    scout = files.slice(chest, 0, "1.2.77", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    (tmp_path / "exam" / "scout").mkdir()
    scout.save_as(tmp_path / "exam" / "scout" / "1.dcm", write_like_original=False)
    index = files.slice(chest, 0, "1.2.78")
    files.set_fields(index, Rows=None, Columns=None, PixelData=None, SOPClassUID=None, SeriesInstanceUID=None)
    index.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    for name in ("DIRFILE", "DICOMDIR;1"):
        index.save_as(folder / name, write_like_original=False)
    found = search([tmp_path / "exam"])
    (given,) = parts(found, Input)
    np.testing.assert_array_equal(read_input(given).hu, chest)
    np.testing.assert_array_equal(read_volume(folder).hu, chest)
    assert not parts(found, Refused)
    reasons = {item.path.name: item.reason for item in parts(found, PassedOver)}
    assert reasons.keys() == {"DIRFILE", "DICOMDIR;1", "1.dcm"}
    assert "scout" in reasons["1.dcm"] and "without an image" in reasons["DIRFILE"]


def test_a_scout_alone_is_refused_and_one_of_another_patient_is(tmp_path, chest, files):
    files.series(tmp_path / "ct", chest, PatientID="1")
    (tmp_path / "scout").mkdir()
    scout = files.slice(chest, 0, "1.2.77", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], PatientID="2")
    scout.save_as(tmp_path / "scout" / "1.dcm", write_like_original=False)
    assert len(parts(find_inputs([tmp_path]), Input)) == 2  # and reading says that it has one slice


def test_one_fault_in_all_slices_is_one_sentence(tmp_path, chest, files):
    folder = files.series(tmp_path / "ct", chest)
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes().replace(b"1.5\\2.0", b"1,5\\2,0"))
    (refused,) = search([folder])
    assert isinstance(refused, Refused)
    assert refused.path == folder
    assert refused.reason == (
        f"{folder} holds 12 files (IM0000.dcm, IM0001.dcm, IM0002.dcm and more) each of which gives PixelSpacing that "
        "is no row of 2 numbers; export it again"
    )


def test_one_slice_of_another_fault_costs_the_series_in_one_sentence(tmp_path, chest, files):
    folder = files.series(tmp_path / "ct", chest)
    victim = folder / "IM0005.dcm"
    victim.write_bytes(victim.read_bytes().replace(b"1.5\\2.0", b"1,5\\2,0"))
    (refused,) = search([folder])
    assert refused.reason == f"{victim} gives PixelSpacing that is no row of 2 numbers; export it again"


def test_sixty_damaged_files_are_one_sentence(tmp_path):
    for number in range(60):
        (tmp_path / f"{number:02d}.dcm").write_bytes(bytes(500))
    (refused,) = search([tmp_path])
    assert refused.reason.startswith(f"{tmp_path} holds 60 files (00.dcm, 01.dcm, 02.dcm and more) each of which is")


def test_what_is_alike_in_a_folder_is_folded(tmp_path):
    items = [PassedOver(tmp_path / name, "is a picture") for name in ("a", "b", "c", "d")]
    items.append(PassedOver(tmp_path / "x" / "e", "is a picture"))
    assert folded(items) == [
        (tmp_path, f"{tmp_path} holds 4 files (a, b, c and more) each of which is a picture"),
        (tmp_path / "x" / "e", f"{tmp_path / 'x' / 'e'} is a picture"),
    ]


def test_the_folders_of_a_series_are_known_even_if_one_file_is_damaged(tmp_path, chest, files):
    folder = split(tmp_path / "exam", files.series(tmp_path / "whole", chest))
    other = files.series(folder / "other", chest)
    (folder / "000002" / "x.dcm").write_bytes(b"text" * 99)
    paths = [folder / "000001", folder / "000002", other]
    assert folders_of_series(paths) == [[folder / "000001", folder / "000002"]]
    np.testing.assert_array_equal(read_volume(other).hu, chest)
    (folder / "000002" / "x.dcm").unlink()
    np.testing.assert_array_equal(read_volume(paths[0], folder, paths[1:2]).hu, chest)


def test_radiographs_stay_a_case_each(tmp_path):
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
        write_dataset(tmp_path / name / "x.dcm", SeriesInstanceUID="1.2.3")
    assert [item.modality for item in search([tmp_path])] == ["CXR", "CXR"]

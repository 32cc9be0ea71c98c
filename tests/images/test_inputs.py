"""What a user's paths expand to."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from tests.images.radiographs import write_dataset

from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.images import Input, Refused, find_inputs, read_input, read_volume
from pneumoscreen.images.faults import NotCTError
from pneumoscreen.images.found import PassedOver
from pneumoscreen.images.inputs import modality_of, search


def ids(found):
    return [item.case_id for item in found if isinstance(item, Input)]


def reasons(found):
    return [item.reason for item in found if isinstance(item, Refused)]


def test_every_series_of_a_folder_is_a_case(tmp_path, chest, files):
    folder = files.series(tmp_path / "exam", chest, SeriesNumber=2)
    for path in folder.iterdir():
        path.rename(path.with_name("a" + path.name))
    files.series(folder, chest[::-1], SeriesNumber=5)
    found = find_inputs([folder])
    assert ids(found) == ["exam_series2", "exam_series5"]
    first, second = (read_input(item) for item in found)
    np.testing.assert_array_equal(first.hu, chest)
    np.testing.assert_array_equal(second.hu, chest[::-1])
    assert first.series_uid != second.series_uid
    assert [first.case_id, second.case_id] == ids(found)


def test_folder_of_good_and_bad_cases(tmp_path, chest, files):
    files.series(tmp_path / "b" / "deep" / "ct1", chest)
    files.series(tmp_path / "mr", chest, Modality="MR")
    files.image(tmp_path / "a.nii.gz", chest)
    (tmp_path / "broken.nrrd").write_text("no")
    read, refused = [], reasons(found := find_inputs([tmp_path]))
    for item in found:
        if isinstance(item, Input):
            try:
                read.append(read_input(item).case_id)
            except PneumoScreenError as error:
                refused.append(str(error))
    assert read == ["a", "ct1"]
    assert any("broken.nrrd" in reason for reason in refused)
    assert any("MR" in reason for reason in refused)
    assert len(refused) == 2


def test_junk_is_passed_over(tmp_path, chest, files):
    files.series(tmp_path / "ct", chest)
    labels = tmp_path / "labels" / "final"
    labels.mkdir(parents=True)
    files.image(labels / "a.nii.gz", chest)
    files.image(tmp_path / "a.nii.gz", chest)
    (tmp_path / ".hidden").mkdir()
    files.image(tmp_path / ".hidden" / "x.nii", chest)
    for name in ("._a.nii.gz", ".DS_Store", "DICOMDIR", "Thumbs.db", "notes.txt", "cases.csv", "r.html", "shot.png"):
        (tmp_path / name).write_bytes(b"junk")
        (tmp_path / "ct" / name).write_bytes(b"junk")
    (tmp_path / "datastore_v2.json").write_text(json.dumps({}))
    found = find_inputs([tmp_path])
    assert ids(found) == ["a", "ct"]
    assert reasons(found) == []


def test_companions_of_a_ct_series_are_no_cases(tmp_path, chest, files):
    folder = files.series(tmp_path / "exam", chest)
    scout = files.slice(chest, 0, "1.2.77", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    scout.save_as(folder / "scout.dcm", write_like_original=False)
    shot = files.slice(chest, 0, "1.2.78", SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    shot.save_as(folder / "dose.dcm", write_like_original=False)
    report = files.slice(chest, 0, "1.2.79", Modality="SR")
    files.set_fields(report, Rows=None, Columns=None, PixelData=None)
    report.save_as(folder / "sr.dcm", write_like_original=False)
    found = find_inputs([folder])
    assert ids(found) == ["exam"]
    assert reasons(found) == []


def test_files_without_suffix_and_without_preamble(tmp_path, chest, files):
    folder = files.series(tmp_path / "ct", chest)
    for path in folder.iterdir():
        bare = path.with_suffix("")
        path.rename(bare)
    found = find_inputs([folder])
    np.testing.assert_array_equal(read_input(found[0]).hu, chest)


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("x.txt", b"text", "no kind"),
        ("x.json", b"{}", "no kind"),
        ("x", b"anything", "no kind"),
        ("x.dcm", b"", "empty"),
        ("x.dcm", b"text" * 99, "DICOM"),
        ("DICOMDIR", b"text" * 99, "folder of the series"),
        ("x.hdr", b"text" * 99, "no kind"),
    ],
)
def test_a_named_file_that_is_no_ct_is_refused(tmp_path, name, content, word):
    path = tmp_path / name
    path.write_bytes(content)
    (refused,) = find_inputs([path])
    assert isinstance(refused, Refused)
    assert refused.path == path
    assert word in refused.reason
    assert str(path) in refused.reason


def test_a_single_slice_a_radiograph_and_a_multi_frame_file(tmp_path, chest, files):
    files.slice(chest, 0, "1.2.3").save_as(tmp_path / "slice.dcm", write_like_original=False)
    files.slice(chest, 0, "1.2.3", Modality="DX").save_as(tmp_path / "xray.dcm", write_like_original=False)
    multi = files.enhanced(tmp_path / "multi.dcm", chest, list(range(12)), [-1024.0] * 12)
    found = find_inputs([tmp_path / "slice.dcm", tmp_path / "xray.dcm", multi])
    assert "folder" in found[0].reason
    assert (found[1].case_id, found[1].modality) == ("xray", "CXR")
    with pytest.raises(NotCTError, match="X-ray"):
        read_input(found[1])
    np.testing.assert_array_equal(read_input(found[2]).hu, chest)


def test_absent_and_empty_folders(tmp_path):
    (tmp_path / "empty").mkdir()
    found = find_inputs([tmp_path / "gone", tmp_path / "empty"])
    assert [word in item.reason for item, word in zip(found, ("exist", "no CT and no X-ray"), strict=True)] == [
        True
    ] * 2


def modalities(found):
    return [(item.case_id, item.modality) for item in found]


@pytest.mark.parametrize("name", ["x.png", "x.JPG", "x.jpeg", "x.bmp", "x.tif", "x.TIFF"])
def test_a_picture_by_name_is_an_x_ray(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    (found,) = find_inputs([tmp_path / name])
    assert (found.case_id, found.modality, found.headers) == ("x", "CXR", ())
    with pytest.raises(NotCTError, match="X-ray"):
        read_input(found)


def test_a_folder_of_pictures_holds_an_x_ray_each(tmp_path):
    for name in ("1.jpg", "2.png", "deep/1.jpg", "labels/1.png", ".hidden.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "index.csv").write_text("path", encoding="utf-8")
    assert modalities(find_inputs([tmp_path])) == [("1", "CXR"), ("2", "CXR"), ("1_2", "CXR")]


def test_pictures_in_above_and_below_the_folder_of_a_ct_are_no_cases(tmp_path, chest, files):
    files.series(tmp_path / "exam" / "ct", chest)
    (tmp_path / "exam" / "ct" / "figures").mkdir()
    (tmp_path / "xrays").mkdir()
    for name in ("exam/shot.png", "exam/ct/shot.png", "exam/ct/figures/shot.png", "xrays/1.png"):
        (tmp_path / name).write_bytes(b"x")
    assert modalities(find_inputs([tmp_path])) == [("ct", "CT"), ("1", "CXR")]


def passed_over(folder):
    found = [item for item in search([folder]) if isinstance(item, PassedOver)]
    return {item.path.relative_to(folder).as_posix(): item.reason for item in found}


def test_pictures_of_a_ct_are_named_and_those_of_an_xray_or_below_a_volume_are_cases(tmp_path, chest, files):
    files.series(tmp_path / "exam" / "ct", chest)
    (tmp_path / "xr").mkdir()
    write_dataset(tmp_path / "xr" / "patA.dcm")
    files.image(tmp_path / "xr" / "deep.nii.gz", chest).rename(tmp_path / "ct1.nii.gz")
    for name in ("exam/shot.png", "exam/ct/shot.png", "xr/patA.png", "xr/patB.png", "xr/more/patC.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert sources(search([tmp_path])) == [
        "ct1.nii.gz",
        "exam/ct",
        "xr/patA.dcm",
        "xr/patB.png",
        "xr/more/patC.jpg",
    ]
    reasons_of = passed_over(tmp_path)
    assert reasons_of.keys() == {"exam/shot.png", "exam/ct/shot.png", "xr/patA.png"}
    assert all("picture beside" in reason and "name it" in reason for reason in reasons_of.values())
    # Named, it is an X-ray.
    assert sources(search([tmp_path / "exam" / "ct", tmp_path / "exam" / "ct" / "shot.png"])) == ["ct", "shot.png"]


def test_files_of_no_kind_and_label_folders_are_named_and_documents_are_not(tmp_path, chest, files):
    files.image(tmp_path / "a.nii.gz", chest)
    (tmp_path / "labels").mkdir()
    files.image(tmp_path / "labels" / "a.nii.gz", chest)
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "a.json").write_text("{}")
    for name in ("scans.zip", "x.webp", "scan.mgz", "notes.txt", "cases.csv", ".hidden"):
        (tmp_path / name).write_bytes(b"some content")
    assert passed_over(tmp_path).keys() == {"scans.zip", "x.webp", "scan.mgz", "labels"}


def test_linked_patient_folders_are_searched(tmp_path, chest, files):
    outside = files.series(tmp_path / "archive" / "p7" / "ct", chest)
    folder = tmp_path / "named"
    (folder / "p1").mkdir(parents=True)
    files.image(folder / "p1" / "x.nii.gz", chest)
    (folder / "p7").symlink_to(outside.parent)
    (folder / "p8").symlink_to(folder / "p1")
    (folder / "p9").symlink_to(tmp_path / "gone")
    (folder / "top").symlink_to(tmp_path)
    (outside.parent / "back").symlink_to(folder)
    (outside.parent / "round").symlink_to("round")
    assert sources(search([folder])) == ["p1/x.nii.gz", "p7/ct"]
    reasons_of = passed_over(folder)
    assert reasons_of.keys() == {"p9", "top", "p7/round"}
    assert "leads nowhere" in reasons_of["p9"] and "above" in reasons_of["top"]


def test_what_is_named_twice_is_found_once(tmp_path, chest, files):
    folder = files.series(tmp_path / "all" / "ct", chest)
    (tmp_path / "all" / "x").mkdir()
    picture = tmp_path / "all" / "x" / "1.png"
    picture.write_bytes(b"x")
    assert sources(search([tmp_path / "all", folder, picture])) == ["ct", "x/1.png"]
    assert sources(search([folder, tmp_path / "all"])) == ["ct", "x/1.png"]
    assert not reasons(search([tmp_path / "all", folder, picture]))


def test_the_modality_of_a_folder_goes_by_its_first_image(tmp_path, chest, files):
    index = files.slice(chest, 0, "1.2.78", Modality="SR", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")
    files.set_fields(index, Rows=None, Columns=None, PixelData=None)
    index.save_as(tmp_path / "0.dcm", write_like_original=False)
    write_dataset(tmp_path / "1.dcm")
    assert modality_of(tmp_path) == "CXR"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files there")
def test_a_pipe_in_a_folder_is_named_and_not_opened(tmp_path, chest, files):
    files.series(tmp_path / "ct", chest)
    for name in ("pipe", "pipe.dcm"):
        os.mkfifo(tmp_path / "ct" / name)
    assert ids(search([tmp_path])) == ["ct"]
    assert passed_over(tmp_path).keys() == {"ct/pipe", "ct/pipe.dcm"}
    assert read_volume(tmp_path / "ct").hu.shape == chest.shape


def test_dicom_radiographs_are_a_case_each(tmp_path, chest, files):
    files.series(tmp_path / "exam", chest)
    write_dataset(tmp_path / "exam" / "x1.dcm", Modality="CR")
    write_dataset(tmp_path / "exam" / "x2.dcm", SeriesInstanceUID="1.2.3.4")
    write_dataset(tmp_path / "exam" / "Mustermann.dcm", Modality="RG")
    write_dataset(tmp_path / "exam" / "breast.dcm", Modality="MG")
    write_dataset(tmp_path / "exam" / "x3.dcm").rename(tmp_path / "exam" / "x3")
    found = find_inputs([tmp_path])
    assert reasons(found) == []
    assert [item.modality for item in found] == ["CT"] + ["CXR"] * 4
    hidden = {item.case_id for item in found if item.case_id.startswith("case_")}
    assert len(hidden) == 1 and set(ids(found)) - hidden == {"exam", "x1", "x2", "x3"}
    assert all(len(item.headers) == 1 and item.series_uid for item in found[1:])
    assert read_volume(tmp_path / "exam").hu.shape == chest.shape


def test_a_damaged_file_beside_radiographs_costs_only_itself(tmp_path):
    write_dataset(tmp_path / "a.dcm")
    (tmp_path / "b.dcm").write_bytes(b"text" * 99)
    found = find_inputs([tmp_path])
    assert ids(found) == ["a"]
    assert len(reasons(found)) == 1 and "b.dcm" in reasons(found)[0]


def test_other_modalities_stay_refused(tmp_path):
    for modality in ("MG", "US", "XA", "MR", "PT"):
        path = write_dataset(tmp_path / f"{modality}.dcm", Modality=modality)
        (found,) = find_inputs([path])
        assert found.modality == "CT"
        with pytest.raises(NotCTError, match=modality):
            read_input(found)


def test_case_ids_are_unique_and_safe(tmp_path, chest, files):
    names = ["a/ct.nii.gz", "b/ct.nii", "c/CT.nrrd", "d/my scan (1).nii.gz", "e/Лёгкие.nii", "f/..nii", "g/ct_2.nii"]
    for name in names:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"x")
    found = ids(find_inputs([tmp_path / name for name in names]))
    assert found == ["ct", "ct_2", "CT_3", "my_scan_1", "Лёгкие", "case", "ct_2_2"]


def test_a_patients_name_does_not_become_a_case_id(tmp_path, chest, files):
    folder = files.series(tmp_path / "Mustermann 2020", chest)
    (given,) = find_inputs([folder])
    assert "uster" not in given.case_id
    assert given.case_id.startswith("case_")
    assert "uster" not in repr(given).replace(str(folder), "")


def test_the_same_path_twice_is_one_case_and_relative_paths_have_names(tmp_path, chest, files, monkeypatch):
    folder = files.series(tmp_path / "ct", chest)
    monkeypatch.chdir(folder)
    assert ids(find_inputs([Path("."), Path(".")])) == ["ct"]


def test_linked_folders_do_not_run_in_circles(tmp_path, chest, files):
    files.series(tmp_path / "ct", chest)
    os.symlink(tmp_path, tmp_path / "ct" / "up")
    assert ids(find_inputs([tmp_path])) == ["ct"]


def sources(found):
    return [item.source_below for item in found if isinstance(item, Input)]


def test_a_case_says_where_it_lies_below_what_was_named(tmp_path, chest, files, monkeypatch):
    files.series(tmp_path / "all" / "b" / "ct", chest)
    for name in ("a", "c"):
        (tmp_path / "all" / name).mkdir()
    nifti = files.image(tmp_path / "all" / "a" / "x.nii.gz", chest)
    picture = write_dataset(tmp_path / "all" / "c" / "x.dcm")
    assert sources(find_inputs([tmp_path / "all"])) == ["a/x.nii.gz", "b/ct", "c/x.dcm"]
    assert sources(find_inputs([nifti, tmp_path / "all" / "b" / "ct", picture])) == ["x.nii.gz", "ct", "x.dcm"]
    monkeypatch.chdir(tmp_path / "all" / "b")
    assert sources(find_inputs([Path("."), Path("../a")])) == ["ct", "x.nii.gz"]
    monkeypatch.chdir(tmp_path / "all" / "b" / "ct")
    assert sources(find_inputs([Path(".")])) == ["ct"]


def test_the_document_has_source_and_study_of_a_series(tmp_path, chest, files):
    files.series(tmp_path / "named" / "exam", chest, StudyInstanceUID="1.2.3.4.5")
    files.image(tmp_path / "named" / "x.nii.gz", chest)
    nifti, series = (read_input(item).image_info() for item in find_inputs([tmp_path / "named"]))
    assert (series.source, series.study_uid) == ("exam", "1.2.3.4.5") and series.series_uid
    assert (nifti.source, nifti.study_uid, nifti.series_uid) == ("x.nii.gz", None, None)
    bare = files.series(tmp_path / "bare", chest, StudyInstanceUID=None)
    assert read_volume(bare).image_info().study_uid is None


def test_a_scan_read_by_its_path_has_a_source_below_a_root_only(tmp_path, chest, files):
    folder = files.series(tmp_path / "studies" / "p1" / "ct", chest)
    assert read_volume(folder).image_info().source == "ct"
    assert read_volume(folder, tmp_path / "studies").image_info().source == "p1/ct"
    assert read_volume(folder, tmp_path / "elsewhere").image_info().source is None


def test_a_patients_name_anywhere_below_what_was_named_is_hashed(tmp_path, chest, files):
    folder = files.series(tmp_path / "ward" / "Mustermann Erika" / "2020" / "ct", chest)
    (above,) = sources(find_inputs([tmp_path / "ward"]))
    assert len(above) == 8 and int(above, 16) >= 0
    assert sources(find_inputs([tmp_path / "ward"])) == [above], "the same place has the same hash"
    # Named from further down, the name is not part of the source.
    assert sources(find_inputs([folder.parent])) == ["ct"]
    assert ids(find_inputs([tmp_path / "ward"])) == ["ct"], "the case's name does not go by the folders above"
    files.series(tmp_path / "free" / "Mustermann" / "ct", chest, PatientIdentityRemoved="YES")
    assert sources(find_inputs([tmp_path / "free"])) == ["Mustermann/ct"]


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_no_text_can_be_written(tmp_path, chest, files):
    files.image(tmp_path / "x.nii.gz", chest)
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    try:
        os.mkdir(folder)
    except OSError:
        pytest.skip("this file system has no such names")
    os.rename(tmp_path / "x.nii.gz", folder + b"/x.nii.gz")
    assert sources(find_inputs([tmp_path])) == ["caf?/x.nii.gz"]

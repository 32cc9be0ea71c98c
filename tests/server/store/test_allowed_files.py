"""Odd entries of a studies folder: none stops the server, breaks a list or shows what lies outside."""

import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import requests
import SimpleITK as sitk
from monailabel.interfaces.exception import ImageNotFoundException, LabelNotFoundException

from pneumoscreen.server.store.allowed_files import AllowedFiles
from pneumoscreen.server.store.datastore import StudiesDatastore
from pneumoscreen.server.store.image_files import ImageFiles
from pneumoscreen.studies.layout import FOLLOW_VARIABLE

from ...images.conftest import make_chest, write_series
from ..conftest import serving


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the studies, with what nobody may see."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.txt").write_text("SECRET")
    write_series(folder / "series", make_chest())
    write_scan(folder / "scan.nii.gz")
    return folder


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    """Studies with one plain scan."""
    folder = tmp_path / "studies"
    folder.mkdir()
    write_scan(folder / "plain.nii.gz")
    return folder


def write_scan(path: Path) -> None:
    scan = sitk.GetImageFromArray(
        (np.arange(16 * 64 * 64, dtype=np.int32) % 1400 - 1000).astype(np.int16).reshape(16, 64, 64)
    )
    scan.SetSpacing((6.0, 6.0, 10.0))
    sitk.WriteImage(scan, str(path))


def offered(studies: Path) -> set[str]:
    datastore = StudiesDatastore(str(studies))
    json.dumps(datastore.json()).encode()
    return set(datastore.list_images())


def odd_entries(studies: Path, outside: Path) -> None:
    links = {
        "dangling.nii.gz": "nowhere", "dangling.dcm": "nowhere", "dangling": "nowhere", "circle.png": "circle.png",
        "ping.nii.gz": "pong.nii.gz", "pong.nii.gz": "ping.nii.gz", "circle": "circle", "self": ".", "parent": "..",
        "root": "/", "file.nii.gz": outside / "scan.nii.gz", "text.nrrd": outside / "secret.txt",
        "passwd.png": "/etc/passwd", "folder": outside / "series", "null.mha": "/dev/null", "zero.nii": "/dev/zero",
        "twice.nii.gz": "text.nrrd", "up.nii.gz": f"../{outside.name}/scan.nii.gz",
    }  # fmt: skip
    for name, target in links.items():
        (studies / name).symlink_to(target)
    for name in ("pipe.nii.gz", "pipe.dcm", "pipe.png"):
        os.mkfifo(studies / name)
    (studies / "folder.nii.gz").mkdir()
    (studies / "closed").mkdir(mode=0)
    write_series(studies / "series", make_chest())
    os.mkfifo(studies / "series" / "pipe.dcm")
    (studies / "series" / "inner").symlink_to("..")
    mixed = write_series(studies / "mixed", make_chest())
    (mixed / "zz.dcm").symlink_to(outside / "secret.txt")
    raw = os.fsencode(studies)
    shutil.copy(studies / "plain.nii.gz", raw + b"/\xff\xfe.nii.gz")
    shutil.copytree(os.fsencode(studies / "series"), raw + b"/\xfedir", ignore=lambda *_: [b"pipe.dcm", b"inner"])
    deep = studies / "/".join("d" * 60)
    deep.mkdir(parents=True)


def test_only_what_belongs_to_the_studies_is_offered(
    studies: Path, outside: Path, caplog: pytest.LogCaptureFixture
) -> None:
    odd_entries(studies, outside)
    with caplog.at_level(logging.INFO, "pneumoscreen"):
        assert offered(studies) == {"plain", "series"}
        lines = [record.getMessage() for record in caplog.records if "passed over" in record.getMessage()]
    assert len(lines) >= 18
    assert len(set(lines)) == len(lines)
    assert not any("passwd" in line or "mixed" in line for line in lines)  # a name may be a patient's


def test_a_link_inside_the_studies_is_followed(studies: Path) -> None:
    (studies / ".kept").mkdir()
    write_scan(studies / ".kept" / "scan.nii.gz")
    (studies / "linked.nii.gz").symlink_to(".kept/scan.nii.gz")
    assert offered(studies) == {"plain", "linked"}


def test_links_may_lead_where_the_site_says(studies: Path, outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (studies / "file.nii.gz").symlink_to(outside / "scan.nii.gz")
    (studies / "folder").symlink_to(outside / "series")
    (studies / "passwd.png").symlink_to("/etc/passwd")
    assert offered(studies) == {"plain"}
    monkeypatch.setenv(FOLLOW_VARIABLE, f"/nowhere{os.pathsep}{outside}")
    assert offered(studies) == {"plain", "file", "folder"}
    beside = outside.with_name("outside-too")  # only begins with an allowed name
    beside.mkdir()
    write_scan(beside / "other.nii.gz")
    (studies / "other.nii.gz").symlink_to(beside / "other.nii.gz")
    assert offered(studies) == {"plain", "file", "folder"}


def test_a_hard_link_to_a_foreign_file_is_passed_over(studies: Path, outside: Path) -> None:
    os.link(outside / "scan.nii.gz", studies / "hard.nii.gz")
    assert offered(studies) == {"plain", "hard"}
    files = ImageFiles(studies)
    files.allowed._owners = {os.geteuid() + 1}
    assert set(files.search()) == {"plain"}


@pytest.mark.parametrize("name", ["key.nii.gz", "key.nii", "key.nrrd", "key.mha", "key.png", "key.jpg", "key.dcm"])
def test_a_hard_link_shows_no_file_that_is_not_what_its_name_says(studies: Path, outside: Path, name: str) -> None:
    os.link(outside / "secret.txt", studies / name)
    assert offered(studies) == {"plain"}


def test_a_scan_that_lies_in_the_archive_as_well_is_offered_under_any_format(studies: Path, outside: Path) -> None:
    scan = sitk.ReadImage(str(outside / "scan.nii.gz"))
    for name in ("a.nii", "b.nrrd", "c.mha"):
        sitk.WriteImage(scan, str(outside / name))
    for name in ("d.png", "e.jpg", "f.bmp", "g.tif"):
        sitk.WriteImage(sitk.Cast(scan[:, :, 8], sitk.sitkUInt8), str(outside / name))
    names = [path.name for path in outside.iterdir() if path.is_file() and path.name != "secret.txt"]
    for name in names:
        os.link(outside / name, studies / name)
    shutil.copytree(outside / "series", studies / "linked", copy_function=os.link)
    assert offered(studies) == {"plain", "scan", "linked", *"abcdefg"}


def test_what_a_hard_link_put_in_place_of_a_file_leads_to_is_not_served(studies: Path, outside: Path) -> None:
    label = studies / "labels" / "original" / "plain.json"
    label.parent.mkdir(parents=True)
    label.write_text("{}")
    series = write_series(studies / "series", make_chest())
    datastore = StudiesDatastore(str(studies))
    assert datastore.get_image_uri("plain")
    assert datastore.get_label_uri("plain", "original")
    (outside / "tokens.json").write_text('{"schema": "pneumoscreen.tokens/1", "tokens": []}')
    for source, place in (("secret.txt", studies / "plain.nii.gz"), ("tokens.json", label)):
        place.unlink()
        os.link(outside / source, place)
    os.link(outside / "secret.txt", series / "IM9999")
    with pytest.raises(ImageNotFoundException):
        datastore.get_image_uri("plain")
    with pytest.raises(LabelNotFoundException):
        datastore.get_label_uri("plain", "original")
    assert not datastore._files.allowed.shows(series / "IM9999")
    datastore.refresh()
    assert datastore.list_images() == ["series"]


def test_a_label_that_a_copy_of_the_folder_shares_is_served(studies: Path, outside: Path) -> None:
    label = studies / "labels" / "original" / "plain.json"
    label.parent.mkdir(parents=True)
    label.write_text(json.dumps({"schema": "pneumoscreen.case/2", "case_id": "plain"}))
    os.link(label, outside / "backup.json")
    assert StudiesDatastore(str(studies)).get_label_uri("plain", "original") == os.path.realpath(label)


def test_a_link_that_comes_later_is_not_served(studies: Path, outside: Path) -> None:
    datastore = StudiesDatastore(str(studies))
    (studies / "plain.nii.gz").unlink()
    (studies / "plain.nii.gz").symlink_to(outside / "secret.txt")
    with pytest.raises(ImageNotFoundException):
        datastore.get_image_uri("plain")
    datastore.refresh()
    assert datastore.list_images() == []


def test_labels_that_are_links_are_not_served(studies: Path, outside: Path) -> None:
    (studies / "labels" / "original").mkdir(parents=True)
    (studies / "labels" / "original" / "plain.json").symlink_to(outside / "secret.txt")
    (studies / "labels" / "final").symlink_to(outside)
    (outside / "plain.json").write_text("{}")
    datastore = StudiesDatastore(str(studies))
    assert datastore.json()["objects"]["plain"]["labels"] == {}
    (studies / "labels" / "original" / "plain.json").unlink()
    (studies / "labels" / "original" / "plain.json").write_text("{}")
    datastore.refresh()
    datastore.get_label_uri("plain", "original")
    (studies / "labels" / "original" / "plain.json").unlink()
    (studies / "labels" / "original" / "plain.json").symlink_to("/etc/passwd")
    with pytest.raises(LabelNotFoundException):
        datastore.get_label_uri("plain", "original")


@pytest.mark.parametrize("name", ["labels_dir", "images_dir"])
@pytest.mark.parametrize("where", ["../outside", "/tmp", "", "annotations"])
def test_an_index_does_not_say_where_things_lie(studies: Path, outside: Path, name: str, where: str) -> None:
    index = {"name": "x", "description": "", "images_dir": ".", "labels_dir": "labels", "objects": {}, name: where}
    (studies / "datastore_v2.json").write_text(json.dumps(index))
    datastore = StudiesDatastore(str(studies))
    assert datastore.list_images() == ["plain"]
    label = outside / "label.nrrd"
    sitk.WriteImage(sitk.ReadImage(str(studies / "plain.nii.gz"), sitk.sitkUInt8), str(label))
    datastore.save_label("plain", str(label), "original", {})
    assert (studies / "labels" / "original" / "plain.nrrd").is_file()
    assert not (outside / "original").exists()


def test_an_index_offers_nothing_that_is_not_found(studies: Path, outside: Path) -> None:
    entry = {"image": {"info": {}, "ext": ".txt"}, "labels": {"../../outside": {"info": {}, "ext": ".txt"}}}
    objects = {"../outside/secret": entry, "/etc/passwd": {**entry, "image": {"info": {}, "ext": ""}}, "plain": entry}
    (studies / "datastore_v2.json").write_text(json.dumps({"name": "x", "description": "", "objects": objects}))
    datastore = StudiesDatastore(str(studies))
    assert datastore.list_images() == ["plain"]
    assert datastore.json()["objects"]["plain"]["labels"] == {}
    assert datastore.get_image_uri("plain") == os.path.realpath(studies / "plain.nii.gz")


def test_a_second_server_keeps_the_image_that_the_first_one_took_in(studies: Path, outside: Path) -> None:
    first, second = StudiesDatastore(str(studies)), StudiesDatastore(str(studies))
    first.add_image("new", str(outside / "scan.nii.gz"), {"ts": 1})
    second.update_image_info("plain", {"said": "something"})
    index = json.loads((studies / "datastore_v2.json").read_text(encoding="utf-8"))
    assert set(index["objects"]) == {"plain", "new"}
    assert set(second.list_images()) == {"plain", "new"}
    second.remove_image("new")
    first.update_image_info("plain", {"said": "more"})
    second.refresh()
    assert set(second.list_images()) == {"plain"}


def test_the_data_set_leaves_out_what_lies_outside(studies: Path, outside: Path) -> None:
    allowed = AllowedFiles(studies)
    (studies / "link").symlink_to(outside / "secret.txt")
    assert allowed.holds(studies / "plain.nii.gz")
    assert not allowed.holds(studies / "link")
    assert not allowed.holds(studies.with_name("studies-too"))


def test_a_server_stands_among_odd_entries(
    studies: Path, outside: Path, model_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    odd_entries(studies, outside)
    with serving(studies, model_root, tmp_path_factory) as server:
        assert set(server.client.get("/datastore/?output=all").json()["objects"]) == {"plain", "series"}
        assert server.client.get("/pneumoscreen/cases").json()["total"] == 2
        for name in ("passwd", "file", "text", "folder", "mixed", "null"):
            answer = requests.get(f"{server.client.address}/datastore/image", params={"image": name}, timeout=60)
            assert answer.status_code == 404, answer.text[:200]


def test_follow_links_names_a_folder(studies: Path, outside: Path) -> None:
    words = ["serve", "--studies", str(studies), "--follow-links", str(outside / "secret.txt")]
    result = subprocess.run([sys.executable, "-m", "pneumoscreen", *words], capture_output=True, text=True, timeout=120)
    assert result.returncode == 2
    assert "--follow-links" in result.stderr

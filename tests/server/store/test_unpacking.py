"""Archives of clients: what comes out, and that no entry of any kind leaves the folder or fills the disk."""

import contextlib
import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pneumoscreen.limits import Limits
from pneumoscreen.server.store.unpacking import ArchiveError, ArchiveLimits, LargeArchiveError, unpack
from pneumoscreen.server.store.upload_sessions import CheckedSessions, FullError

ROOMY = ArchiveLimits(entries=200, bytes=8 << 20)
CONTENT = {"a.dcm": b"a" * 700, "study/series/b.dcm": b"b" * 512, "größe 张三.dcm": b"", "deep/" + "n" * 200: b"c"}


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, size
    return info


def tar_of(path: Path, *entries: tuple[tarfile.TarInfo, bytes], mode: str = "w", **more) -> Path:
    with tarfile.open(path, mode, **more) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return path


def tar_of_files(path: Path, content: dict[str, bytes], mode: str = "w", **more) -> Path:
    return tar_of(path, *((entry(name, size=len(data)), data) for name, data in content.items()), mode=mode, **more)


def zip_of_files(path: Path, content: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def written(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder to unpack into; nothing else may appear around it."""
    (tmp_path / "around" / "inner").mkdir(parents=True)
    return tmp_path / "around" / "inner"


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_what_a_tar_holds_comes_out(tmp_path: Path, folder: Path, mode: str, form: int) -> None:
    unpack(tar_of_files(tmp_path / "a.tar", CONTENT, mode, format=form), folder, ROOMY)
    assert written(folder) == CONTENT


def test_what_a_tar_of_a_folder_holds_comes_out(tmp_path: Path, folder: Path) -> None:
    source = tmp_path / "source"
    (source / "series").mkdir(parents=True)
    (source / "series" / "1.dcm").write_bytes(b"1" * 1000)
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        archive.add(source, "case")
    unpack(tmp_path / "a.tar.gz", folder, ROOMY)
    assert written(folder) == {"case/series/1.dcm": b"1" * 1000}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_a_zip_holds_comes_out(tmp_path: Path, folder: Path, method: int) -> None:
    content = {**CONTENT, "old\\tool\\c.dcm": b"w"}
    unpack(zip_of_files(tmp_path / "a.zip", content, method), folder, ROOMY)
    assert written(folder) == {name.replace("\\", "/"): data for name, data in content.items()}


LINKS = [
    [entry("x", tarfile.SYMTYPE, "/etc/passwd")],
    [entry("x", tarfile.SYMTYPE, "inside"), entry("inside")],
    [entry("x", tarfile.LNKTYPE, "/etc/passwd")],
    [entry("x", tarfile.LNKTYPE, "inside"), entry("inside")],
    [entry("x", tarfile.FIFOTYPE)],
    [entry("x", tarfile.CHRTYPE)],
    [entry("x", tarfile.BLKTYPE)],
    [entry("x", tarfile.GNUTYPE_SPARSE)],
    [entry("x", tarfile.CONTTYPE)],
    [entry("x", b"Z")],
    [entry("dir", tarfile.DIRTYPE), entry("dir/up", tarfile.SYMTYPE, ".."), entry("dir/up/outside")],
]


@pytest.mark.parametrize("entries", LINKS, ids=range(len(LINKS)))
def test_a_tar_with_anything_but_files_and_folders_is_refused(tmp_path: Path, folder: Path, entries: list) -> None:
    archive = tar_of(tmp_path / "a.tar", *((info, b"") for info in entries))
    with pytest.raises(ArchiveError, match=r"a\.tar"):
        unpack(archive, folder, ROOMY)
    assert not any(path.is_symlink() for path in folder.rglob("*"))
    assert os.listdir(folder.parent) == ["inner"]


def test_a_link_longer_than_a_path_may_be_leads_nowhere(tmp_path: Path, folder: Path) -> None:
    """CVE-2025-4517: realpath gives up on it, and tarfile's own filter lets the entry behind it through."""
    entries, path = [], ""
    long, steps = "d" * 247, "abcdefghijklmnop"
    for step in steps:
        entries += [entry(os.path.join(path, long), tarfile.DIRTYPE)]
        entries += [entry(os.path.join(path, step), tarfile.SYMTYPE, long)]
        path = os.path.join(path, long)
    link = "/".join(steps) + "/" + "l" * 254
    entries += [entry(link, tarfile.SYMTYPE, "../" * len(steps)), entry("escape", tarfile.SYMTYPE, link + "/..")]
    entries += [entry("flag", tarfile.LNKTYPE, "escape/kept"), entry("escape/new")]
    (folder.parent / "kept").write_text("kept")
    with pytest.raises(ArchiveError):
        unpack(tar_of(tmp_path / "a.tar", *((info, b"") for info in entries)), folder, ROOMY)
    assert sorted(os.listdir(folder.parent)) == ["inner", "kept"]


OUTSIDE = ["../x", "a/../../x", "/x", "//x", "..\\x", "C:\\x", "C:x", "", "a\nb", "x" * 256]
OUTSIDE += ["/".join("d" * 40)]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("kind", ["zip", "pax", "gnu"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, folder: Path, name: str, kind: str) -> None:
    archive = tmp_path / "archive"
    if kind == "zip":
        zip_of_files(archive, {"good": b"", "placeholder": b"x"})
        info = zipfile.ZipInfo("placeholder")
        info.filename = name  # the constructor would change it
        with zipfile.ZipFile(archive, "w") as zipped:
            zipped.writestr(info, b"x")
    else:
        tar_of(archive, (entry(name, size=1), b"x"), format=tarfile.PAX_FORMAT if kind == "pax" else tarfile.GNU_FORMAT)
    with pytest.raises(ArchiveError):
        unpack(archive, folder, ROOMY)
    assert os.listdir(folder.parent) == ["inner"]
    assert not written(folder)


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b", "a")])
@pytest.mark.parametrize("pack", [tar_of, None])
def test_a_name_that_occurs_twice_is_refused(tmp_path: Path, folder: Path, names: tuple, pack: Callable) -> None:
    if pack is None:
        archive = tmp_path / "a"
        with zipfile.ZipFile(archive, "w") as zipped:
            for name in names:
                if name not in zipped.namelist():
                    zipped.writestr(name, b"x")
                else:
                    with pytest.warns(UserWarning, match="Duplicate"):
                        zipped.writestr(name, b"x")
    else:
        archive = pack(tmp_path / "a", *((entry(name, size=1), b"x") for name in names))
    with pytest.raises(ArchiveError, match="twice"):
        unpack(archive, folder, ROOMY)


def test_a_zip_with_a_link_is_refused(tmp_path: Path, folder: Path) -> None:
    info = zipfile.ZipInfo("x")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ArchiveError, match="link"):
        unpack(tmp_path / "a.zip", folder, ROOMY)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_of_another_method_is_refused(tmp_path: Path, folder: Path, method: int) -> None:
    with pytest.raises(ArchiveError, match="plain ZIP"):
        unpack(zip_of_files(tmp_path / "a.zip", {"a": b"x" * 1000}, method), folder, ROOMY)


@pytest.mark.parametrize("pack", [tar_of_files, zip_of_files])
def test_more_entries_or_bytes_than_allowed_are_refused(tmp_path: Path, folder: Path, pack: Callable) -> None:
    many = pack(tmp_path / "many", {f"{n}": b"" for n in range(201)})
    with pytest.raises(LargeArchiveError, match="200 entries"):
        unpack(many, folder, ROOMY)
    large = pack(tmp_path / "large", {"one": os.urandom(5 << 20), "two": os.urandom(4 << 20)})
    with pytest.raises(LargeArchiveError, match="8 MB"):
        unpack(large, folder, ROOMY)
    assert sum(map(len, written(folder).values())) <= ROOMY.bytes


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2", "tar.xz"])
def test_an_archive_of_zeros_is_refused_by_its_ratio(tmp_path: Path, folder: Path, kind: str) -> None:
    path, zeros = tmp_path / f"a.{kind}", {"a": bytes(80 << 20)}
    if kind == "zip":
        zip_of_files(path, zeros)
    else:
        tar_of_files(path, zeros, f"w:{kind[4:]}")
    with pytest.raises(LargeArchiveError, match="times its size"):
        unpack(path, folder, ArchiveLimits(10, 1 << 30))
    assert sum(map(len, written(folder).values())) <= 64 << 20


def test_folders_count_as_entries(tmp_path: Path, folder: Path) -> None:
    archive = tar_of(tmp_path / "a", *((entry(f"d{n}", tarfile.DIRTYPE), b"") for n in range(201)))
    with pytest.raises(LargeArchiveError, match="200 entries"):
        unpack(archive, folder, ROOMY)


def header(kind: bytes, size: int) -> bytes:
    return entry("x", kind, size=size).tobuf(tarfile.GNU_FORMAT)


BOMBS = {
    "a long extension": header(tarfile.XHDTYPE, 4 << 30) + bytes(1 << 20),
    "a long name": header(tarfile.GNUTYPE_LONGNAME, 4 << 30) + bytes(1 << 20),
    "a long link": header(tarfile.GNUTYPE_LONGLINK, 512) + bytes(512),
    "a negative size": header(tarfile.REGTYPE, -1024),
    "a negative extension": header(tarfile.XHDTYPE, -1024),
    "a cut file": header(tarfile.REGTYPE, 4096) + bytes(1000),
    "a cut header": header(tarfile.REGTYPE, 0)[:200],
    "digits without end": header(tarfile.XHDTYPE, 60000) + b"1" * 60416 + header(tarfile.REGTYPE, 0),
    "a record past the end": header(tarfile.XHDTYPE, 10) + b"99 path=ab".ljust(512, b"\0"),
    "a record of no length": header(tarfile.XHDTYPE, 10) + b"0 path=abc".ljust(512, b"\0"),
    "a size of many digits": header(tarfile.XHDTYPE, 30) + b"30 size=999999999999999999999\n".ljust(512, b"\0"),
    "a sparse file": header(tarfile.XHDTYPE, 22) + b"22 GNU.sparse.major=1\n".ljust(512, b"\0") + header(b"0", 0),
    "nothing": b"",
    "text": b"no archive at all\n" * 100,
    "half a zip": b"PK\x03\x04" + bytes(600),
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_damaged_and_lying_archives_are_refused(tmp_path: Path, folder: Path, name: str, pack: Callable) -> None:
    (tmp_path / "a").write_bytes(pack(BOMBS[name]))
    with pytest.raises(ArchiveError, match="the archive a "):
        unpack(tmp_path / "a", folder, ROOMY)


def test_an_encrypted_zip_is_refused(tmp_path: Path, folder: Path) -> None:
    path = zip_of_files(tmp_path / "a.zip", {"a": b"x" * 100}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ArchiveError, match="encrypted"):
        unpack(path, folder, ROOMY)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=12), st.sampled_from(["tar", "zip"]))
def test_a_changed_archive_is_refused_or_stays_inside(tmp_path_factory, changes, kind) -> None:
    root = tmp_path_factory.mktemp("mutated")
    (root / "around" / "inner").mkdir(parents=True)
    pack = tar_of_files if kind == "tar" else zip_of_files
    data = bytearray(pack(root / "a", CONTENT).read_bytes())
    for place, value in changes:
        data[place % len(data)] = value
    (root / "a").write_bytes(data)
    with contextlib.suppress(ArchiveError):
        unpack(root / "a", root / "around" / "inner", ROOMY)
    assert os.listdir(root / "around") == ["inner"]
    assert not any(path.is_symlink() for path in root.rglob("*"))


def sessions(path: Path, **limits: int) -> CheckedSessions:
    return CheckedSessions(str(path), limits=Limits(**limits))


def test_all_sessions_together_have_a_quota(tmp_path: Path) -> None:
    store = sessions(tmp_path / "store", max_sessions_mb=2)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(bytes(1_500_000))
    first, _ = store.add_session(str(tmp_path / "a"))
    with pytest.raises(FullError, match="delete one"):
        store.add_session(str(tmp_path / "b"))
    store.remove_session(first)
    store.add_session(str(tmp_path / "b"))


def test_one_session_has_a_limit(tmp_path: Path) -> None:
    store = sessions(tmp_path / "store", max_session_mb=1)
    (tmp_path / "a").write_bytes(bytes(1_500_000))
    with pytest.raises(LargeArchiveError, match="1 MB"):
        store.add_session(str(tmp_path / "a"))
    archive = zip_of_files(tmp_path / "a.zip", {"a": os.urandom(1_500_000)})
    with pytest.raises(LargeArchiveError, match="1 MB"):
        store.add_session(str(archive), uncompress=True)
    assert not written(tmp_path / "store")


def test_an_unpacked_session_is_a_folder_of_plain_files(tmp_path: Path) -> None:
    store = sessions(tmp_path / "store")
    _, session = store.add_session(str(zip_of_files(tmp_path / "a.zip", CONTENT)), uncompress=True)
    assert written(Path(session.image)) == CONTENT
    with pytest.raises(ArchiveError):
        store.add_session(str(tar_of(tmp_path / "b.tar", (entry("x", tarfile.SYMTYPE, "/etc"), b""))), uncompress=True)
    assert len(list((tmp_path / "store").iterdir())) == 1


@pytest.mark.parametrize("left", [None, "", '{"name": "x", "ima'])
def test_what_is_left_of_a_session_is_in_nobodys_way(tmp_path: Path, left: str | None) -> None:
    store = sessions(tmp_path / "store")
    rest = tmp_path / "store" / "0b1f0000-0000-11ef-8000-000000000000"
    rest.mkdir(parents=True)
    if left is not None:
        (rest / "meta.info").write_text(left)
    (tmp_path / "a").write_bytes(b"a")
    made, _ = store.add_session(str(tmp_path / "a"))
    assert store.get_session(rest.name) is None
    assert rest.is_dir(), "another server may be making it"
    os.utime(rest, (1, 1))
    assert store.remove_expired() == 1
    assert not rest.exists()
    assert store.get_session(made) is not None


def test_sessions_that_come_and_go_at_once_do_not_meet(tmp_path: Path) -> None:
    store = sessions(tmp_path / "store")

    def come_and_go(number: int) -> None:
        for turn in range(40):
            file = tmp_path / f"{number}-{turn}"
            file.write_bytes(b"a")
            made, _ = store.add_session(str(file))
            assert store.get_session(made) is not None
            store.remove_session(made)

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(come_and_go, number) for number in range(8)]:
            done.result()
    assert not list((tmp_path / "store").iterdir())

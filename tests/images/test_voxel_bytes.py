"""The content of gzip files, in steps of any size."""

import gzip
import io
import zlib

import pytest

from pneumoscreen.images.voxel_bytes import open_gzip

TEXT = bytes(range(256)) * 9000  # more than one step of the file, compressed and not


def test_a_gzip_file_gives_its_content_in_steps_of_any_size():
    for step in (1000, 1 << 20, 1 << 30):
        stream = open_gzip(io.BytesIO(gzip.compress(TEXT, 1)))
        assert b"".join(iter(lambda: stream.read(step), b"")) == TEXT  # noqa: B023


def test_members_follow_each_other_with_zeros_between():
    members = gzip.compress(TEXT) + bytes(9) + gzip.compress(b"end") + bytes(3)
    assert open_gzip(io.BytesIO(members)).read() == TEXT + b"end"


@pytest.mark.parametrize("cut", [5, 40, -9, -1])
def test_a_truncated_file_is_told(cut):
    with pytest.raises(EOFError):
        open_gzip(io.BytesIO(gzip.compress(TEXT)[:cut])).read()


def test_a_wrong_checksum_and_a_tail_that_is_no_gzip_are_told():
    whole = gzip.compress(TEXT)
    damaged = whole[:-8] + bytes(4) + whole[-4:]
    for content in (damaged, whole + b"tail"):
        stream = open_gzip(io.BytesIO(content))
        with pytest.raises(zlib.error):
            stream.read()


def test_a_large_file_is_taken_in_large_steps():
    """Each step waits for the interpreter's lock: beside the loading of the networks that is what takes the time."""

    class Counted(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.reads += 1
            return super().read(size)

    noise = zlib.compress(TEXT, 0) * 4
    file = Counted(gzip.compress(noise, 1))
    assert open_gzip(file).read() == noise
    assert file.reads < 20

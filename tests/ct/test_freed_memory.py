"""Counted in page faults, which do not depend on how fast the machine is."""

import platform
import subprocess
import sys

import pytest

PAGES_OF_THIRD_BLOCK = """
import resource
from pneumoscreen.ct.freed_memory import keep_freed_memory

if {keep}:
    keep_freed_memory()
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = b"x" * 80_000_000
    pages = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    del block
print(pages)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library has no mallopt")
def test_a_freed_block_as_large_as_a_feature_map_is_used_again_without_asking_the_kernel() -> None:
    plain, kept = _pages(keep=False), _pages(keep=True)
    assert kept < plain / 10, (plain, kept)


def _pages(keep: bool) -> int:
    code = PAGES_OF_THIRD_BLOCK.format(keep=keep)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(done.stdout)

"""The digest of an input's files: the same for the same bytes, another one for others."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from pneumoscreen.errors import ImageError
from pneumoscreen.images.digest import input_digest
from pneumoscreen.images.inputs import file_input
from pneumoscreen.images.reader import read_input


def write(path: Path, seed: int) -> Path:
    values = np.random.default_rng(seed).integers(-1000, 400, (10, 40, 40)).astype(np.int16)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((2.0, 2.0, 2.0))
    sitk.WriteImage(image, path)
    return path


@pytest.mark.parametrize("name", ["a.nii.gz", "a.mha", "a.mhd", "a.nrrd"])
def test_it_is_that_of_the_document_and_follows_the_voxels(name: str, tmp_path: Path) -> None:
    given = file_input(write(tmp_path / name, 40))
    before = input_digest(given)
    assert before == read_input(given).sha256
    assert input_digest(given) == before
    # Of an .mhd file only the file beside it changes.
    write(tmp_path / name, 41)
    assert input_digest(given) != before


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    given = file_input(write(tmp_path / "a.mha", 40))
    given.path.unlink()
    with pytest.raises(ImageError, match=r"a\.mha"):
        input_digest(given)

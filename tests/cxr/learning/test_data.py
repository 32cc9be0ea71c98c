"""Pictures in memory: in bytes, by rows, and with a digest that tells them apart."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pneumoscreen.cxr.learning.data import PictureSet, as_bytes


def pictures() -> PictureSet:
    return PictureSet(
        np.arange(4 * 2 * 3 * 5, dtype=np.uint8).reshape(4, 2, 3, 5),
        torch.tensor([0.0, 1.0, 2.0, 1.0]),
        ("a", "b", "a", "c"),
    )


def test_it_counts_pictures_and_patients() -> None:
    assert (len(pictures()), pictures().patients_count) == (4, 3)


def test_a_batch_holds_the_rows_in_their_order() -> None:
    seen, targets = pictures().batch(torch.tensor([2, 0]))
    assert seen.dtype == torch.float32
    np.testing.assert_allclose(seen.numpy() * 255.0, pictures().pictures[[2, 0]], atol=1e-4)
    assert targets.tolist() == [2.0, 0.0]


def test_only_some_rows() -> None:
    some = pictures().only([3, 1])
    np.testing.assert_array_equal(some.pictures, pictures().pictures[[3, 1]])
    assert (some.targets.tolist(), some.patients) == ([1.0, 1.0], ("c", "b"))


def test_the_digest_changes_with_everything() -> None:
    same = pictures().digest()
    assert same == pictures().digest()
    for part in ("pictures", "targets", "patients"):
        other = pictures()
        if part == "pictures":
            other.pictures[1, 0, 2, 3] += 1
        elif part == "targets":
            other.targets[2] = 1.0
        else:
            other = PictureSet(other.pictures, other.targets, ("a", "b", "a", "d"))
        assert other.digest() != same, part
    assert pictures().only([1, 0, 2, 3]).digest() != same


@given(st.floats(0.0, 1.0, width=32))
def test_bytes_are_the_nearest_grey(value: float) -> None:
    (found,) = as_bytes(np.array([value], np.float32))
    assert abs(found / 255.0 - value) <= 0.5 / 255.0 + 1e-6


def test_every_byte_survives_a_batch() -> None:
    greys = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    seen, _ = PictureSet(greys, torch.zeros(1), ("a",)).batch(torch.tensor([0]))
    np.testing.assert_array_equal(as_bytes(seen.numpy()), greys)
    assert float(seen.max()) == pytest.approx(1.0)

"""Patches for training: their truth, their file, and that no patient is on both sides of the split."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from pneumoscreen.ct.learning.classifier_data import (
    SOURCES,
    PatchDataSettings,
    PatchSet,
    collect_patches,
    gather,
    gathered,
    split_patches,
)
from pneumoscreen.ct.lungs.segmentation import Lungs
from pneumoscreen.ct.phantoms.phantom import Phantom, PhantomSpec, generate_phantom
from pneumoscreen.errors import PneumoScreenError
from pneumoscreen.studies.split import Side, SplitSettings, side_of


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return generate_phantom(4, "influenza_a", PhantomSpec(matrix=128, thickness_mm=6.0))


@pytest.fixture(scope="module")
def collected(phantom: Phantom) -> PatchSet:
    candidates = np.stack([np.asarray(lesion.box) for lesion in phantom.lesions])
    return collect_patches(phantom, "p-1", Lungs(phantom.lungs), candidates, seed=3)


def toy(patients: list[str]) -> PatchSet:
    count = len(patients)
    return PatchSet(
        np.zeros((count, 64, 64), dtype=np.uint8),
        np.zeros(count, dtype=np.int64),
        np.zeros(count, dtype=np.float32),
        np.arange(count),
        np.zeros(count, dtype=np.int64),
        np.array(patients),
    )


def test_every_source_is_there(collected: PatchSet, phantom: Phantom) -> None:
    regions = {name: len(set(collected.regions[collected.sources == i])) for i, name in enumerate(SOURCES)}
    lesions = len(phantom.lesions)
    assert regions["candidate"] == regions["finding"] == lesions
    assert 0 < regions["loosened"] <= 3 * lesions
    assert 0 < regions["random"] <= 5
    assert len(collected) <= 3 * sum(regions.values())


def test_labels_are_the_diagnosis_or_irrelevant(collected: PatchSet, phantom: Phantom) -> None:
    assert set(collected.labels) == {1, 2}  # influenza_a and irrelevant
    finding = collected.select(collected.sources == SOURCES.index("finding"))
    center = {region: finding.labels[finding.regions == region][1] for region in set(finding.regions.tolist())}
    expected = [2 if lesion.label == "irrelevant" else 1 for lesion in phantom.lesions]
    agree = np.mean([found == e for found, e in zip(center.values(), expected, strict=True)])
    assert agree >= 0.75  # a lesion beside another one may share its box


def test_patches_are_pictures_with_finite_distances(collected: PatchSet) -> None:
    assert collected.pixels.dtype == np.uint8
    contrast = collected.pixels.std(axis=(1, 2))
    # A random piece of clear lung may be nearly flat, but never constant.
    assert contrast.min() > 0
    assert np.median(contrast) > 5
    assert (collected.distances >= 0).all()
    assert (collected.distances <= 0.5).all()
    assert len(np.unique(collected.distances)) > 5


def test_a_seed_repeats_it(collected: PatchSet, phantom: Phantom) -> None:
    candidates = np.stack([np.asarray(lesion.box) for lesion in phantom.lesions])
    again = collect_patches(phantom, "p-1", Lungs(phantom.lungs), candidates, seed=3)
    np.testing.assert_array_equal(again.pixels, collected.pixels)


def test_a_case_without_regions_gives_no_patches(phantom: Phantom) -> None:
    bare = PatchDataSettings(random=0)
    empty = Phantom(phantom.volume, phantom.lungs, np.zeros_like(phantom.infection), (), "no_infection_found")
    assert len(collect_patches(empty, "p-2", Lungs(phantom.lungs), np.zeros((0, 6)), 0, bare)) == 0
    nothing = collect_patches(empty, "p-2", Lungs(phantom.lungs), np.zeros((0, 6)), 0, bare)
    with pytest.raises(PneumoScreenError, match="no labelled region"):
        PatchSet.join([nothing])


def test_file_round_trip(collected: PatchSet, tmp_path: Path) -> None:
    collected.save(tmp_path / "new" / "patches.npz")
    again = PatchSet.load(tmp_path / "new" / "patches.npz")
    for field in fields(PatchSet):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(collected, field.name))


def test_a_file_that_holds_no_patches_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "patches.npz"
    path.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(PneumoScreenError, match=r"patches\.npz is not a file of patches"):
        PatchSet.load(path)


def test_joined_regions_stay_apart() -> None:
    joined = PatchSet.join([toy(["a", "a"]), toy([]), toy(["b"])])
    assert joined.regions.tolist() == [0, 1, 2]
    assert joined.patients.tolist() == ["a", "a", "b"]


def test_gathered_rows_are_those_of_the_files_and_stay_on_disk(collected: PatchSet, tmp_path: Path) -> None:
    whole = PatchSet.join([collected, collected.select(collected.labels == 2)])
    files = [tmp_path / f"{name}.npz" for name in "abc"]
    collected.save(files[0])
    collected.select(collected.labels > 9).save(files[1])
    collected.select(collected.labels == 2).save(files[2])
    found = gather(files, tmp_path / "all.npy")
    for patches in (found, gathered(files, tmp_path / "all.npy")):
        assert isinstance(patches.pixels, np.memmap)
        for field in fields(PatchSet):
            np.testing.assert_array_equal(getattr(patches, field.name), getattr(whole, field.name))
    assert found.digest() == whole.digest() != collected.digest()
    part = found.select(np.arange(len(found)) >= len(collected))
    assert np.shares_memory(part.pixels, found.pixels), "rows side by side are not copied"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "all.npy", "b.npz", "c.npz"]


class TestSplit:
    SHARES = SplitSettings(validation=0.25, test=0.25)

    def test_no_patient_is_on_both_sides_and_test_patients_on_none(self) -> None:
        patients = [f"p{i % 40}" for i in range(400)]
        training, validation = split_patches(toy(patients), self.SHARES)
        sides = {patient: side_of(patient, self.SHARES) for patient in patients}
        assert {sides[str(p)] for p in training.patients} == {Side.TRAINING}
        assert {sides[str(p)] for p in validation.patients} == {Side.VALIDATION}
        kept = sum(side is not Side.TEST for side in sides.values())
        assert len(training) + len(validation) == 10 * kept < 400

    def test_one_patient_cannot_be_split(self) -> None:
        with pytest.raises(PneumoScreenError, match="cannot be divided"):
            split_patches(toy(["only"] * 9), SplitSettings())

"""Patches: which slices, which pixels, which grey values."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pneumoscreen.ct.lungs.segmentation import Lungs
from pneumoscreen.ct.patches import PatchSettings, RegionError, central_slices, extract_patches
from pneumoscreen.images.volume import Volume

SHAPE = (20, 100, 120)


def volume(hu: np.ndarray | None = None, spacing: tuple[float, float, float] = (1.0, 1.0, 5.0)) -> Volume:
    values = np.full(SHAPE, -850, dtype=np.int16) if hu is None else hu
    return Volume(values, spacing, (0.0, 0.0, 0.0), np.eye(3), "toy", Path("toy.nii.gz"), "00")


def lungs(slices: slice = slice(0, 20)) -> Lungs:
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[slices, 10:90, 65:115] = 1
    labels[slices, 10:90, 5:55] = 2
    return Lungs(labels)


def box(z: tuple[float, float], y: tuple[float, float] = (30, 60), x: tuple[float, float] = (70, 100)) -> np.ndarray:
    return np.array([z[0], y[0], x[0], z[1], y[1], x[1]], dtype=np.float64)


class TestSlices:
    def test_the_center_slice_and_its_neighbours(self) -> None:
        assert [patch.z for patch in extract_patches(volume(), lungs(), box((4.5, 11.5)))] == [7, 8, 9]

    @pytest.mark.parametrize(("z", "expected"), [((-0.5, 0.5), [0, 1]), ((18.5, 19.5), [18, 19])])
    def test_at_the_end_of_the_volume_a_neighbour_is_missing(self, z: tuple[float, float], expected: list[int]) -> None:
        assert [patch.z for patch in extract_patches(volume(), lungs(), box(z))] == expected

    def test_a_slice_without_lung_is_left_out(self) -> None:
        found = extract_patches(volume(), lungs(slice(0, 8)), box((4.5, 9.5)))
        assert [patch.z for patch in found] == [6, 7]

    def test_without_any_lung_the_region_is_refused(self) -> None:
        with pytest.raises(RegionError, match="shows no lung"):
            extract_patches(volume(), lungs(slice(0, 3)), box((8.5, 11.5)))

    @given(st.floats(-0.5, 18.0), st.floats(0.1, 20.0), st.integers(1, 30))
    def test_one_to_three_neighbouring_slices(self, low: float, depth: float, slices: int) -> None:
        found = central_slices(np.array([low, 0, 0, low + depth, 1, 1]), slices)
        assert 1 <= len(found) <= 3
        assert found == list(range(found[0], found[-1] + 1))
        assert found[0] >= 0
        assert found[-1] < slices

    @settings(max_examples=1000, deadline=None)
    @given(
        st.integers(0, 198),
        st.integers(1, 60),
        st.floats(0.5, 10.0),
        st.floats(-2000.0, 2000.0),
        st.floats(-0.4, 0.4),
        st.sampled_from([None, 2]),
    )
    @example(7, 4, 1.25, -318.3, 0.0, None)
    def test_a_box_of_whole_slices_keeps_them_through_millimetres_and_json(
        self, low: int, depth: int, spacing: float, origin: float, tilt: float, decimals: int | None
    ) -> None:
        cosine, sine = np.cos(tilt), np.sin(tilt)
        direction = np.array([[1.0, 0.0, 0.0], [0.0, cosine, -sine], [0.0, sine, cosine]])
        scan = Volume(np.empty((260, 1, 1)), (0.7, 0.7, spacing), (11.0, -7.3, origin), direction, "t", Path("t"), "00")
        before = np.array([low - 0.5, 9.5, 19.5, low + depth - 0.5, 30.5, 40.5])
        parts = [part.tolist() for part in scan.box_to_mm(before)]
        if decimals is not None:  # as importers write them
            parts = [[round(value, decimals) for value in part] for part in parts]
        center, size = json.loads(json.dumps(parts))
        after = scan.box_from_mm(np.array(center), np.array(size))
        assert central_slices(after, 260) == central_slices(before, 260)
        # Of an even number of slices the upper one of the two in the middle.
        assert central_slices(before, 260)[1 if low + depth // 2 > 0 else 0] == low + depth // 2

    def test_patches_are_the_same_after_millimetres_and_json(self) -> None:
        values = np.random.default_rng(0).integers(-1000, 100, SHAPE).astype(np.int16)
        for number in range(1, 60):
            origin, spacing = (-3.7 * number, 2.9 * number, -17.3 * number), (0.75, 0.75, 1.25)
            scan = Volume(values, spacing, origin, np.eye(3), "toy", Path("toy.nii.gz"), "00")
            before = box((3.5, 7.5), (35.5, 44.5), (75.5, 84.5))
            center, size = json.loads(json.dumps([part.tolist() for part in scan.box_to_mm(before)]))
            after = scan.box_from_mm(np.array(center), np.array(size))
            pairs = zip(extract_patches(scan, lungs(), before), extract_patches(scan, lungs(), after), strict=True)
            for first, second in pairs:
                assert first.z == second.z
                assert np.array_equal(first.pixels, second.pixels)


class TestPixels:
    def test_the_window_becomes_0_to_1(self) -> None:
        hu = np.full(SHAPE, -850, dtype=np.int16)
        hu[:, 30:60, 70:85] = 3000
        hu[:, 30:60, 85:100] = -3000
        pixels = extract_patches(volume(hu), lungs(), box((4.5, 5.5), (29.5, 59.5), (69.5, 99.5)))[0].pixels
        assert pixels.shape == (64, 64)
        assert pixels.dtype == np.float32
        assert (pixels[:, :30] == 1.0).all()
        assert (pixels[:, 34:] == 0.0).all()

    def test_only_the_box_is_seen(self) -> None:
        hu = np.full(SHAPE, 1000, dtype=np.int16)
        hu[:, 30:60, 70:100] = -1150
        pixels = extract_patches(volume(hu), lungs(), box((4.5, 5.5), (29.5, 59.5), (69.5, 99.5)))[0].pixels
        assert pixels.max() == 0.0

    def test_rows_go_to_the_back_and_columns_to_the_left(self) -> None:
        y, x = np.mgrid[: SHAPE[1], : SHAPE[2]]
        hu = np.broadcast_to((-1000 + 5 * y + x).astype(np.int16), SHAPE).copy()
        pixels = extract_patches(volume(hu), lungs(), box((4.5, 5.5)))[0].pixels
        assert (np.diff(pixels, axis=0) > 0).all()
        assert (np.diff(pixels, axis=1) > 0).all()

    def test_a_small_region_is_widened_to_the_smallest_side(self) -> None:
        hu = np.full(SHAPE, -1150, dtype=np.int16)
        hu[:, 40:44, 80:84] = 200
        tight = box((4.5, 5.5), (39.5, 43.5), (79.5, 83.5))
        wide = extract_patches(volume(hu), lungs(), tight)[0].pixels
        exact = extract_patches(volume(hu), lungs(), tight, PatchSettings(min_side_mm=0))[0].pixels
        assert exact.min() == 1.0
        assert wide.mean() == pytest.approx((4 / 24) ** 2, rel=0.05)
        center = np.argwhere(wide > 0.5).mean(axis=0)
        assert center == pytest.approx([31.5, 31.5], abs=0.5)

    def test_the_smallest_side_is_in_millimetres(self) -> None:
        hu = np.full(SHAPE, -1150, dtype=np.int16)
        hu[:, 40:44, 80:84] = 200
        tight = box((4.5, 5.5), (39.5, 43.5), (79.5, 83.5))
        found = extract_patches(volume(hu, (2.0, 3.0, 5.0)), lungs(), tight)[0].pixels
        assert found.mean() == pytest.approx((4 / 12) * (4 / 8), rel=0.08)

    def test_a_thin_structure_survives_in_a_wide_region(self) -> None:
        hu = np.full(SHAPE, -1150, dtype=np.int16)
        hu[:, 45, :] = 200
        found = extract_patches(volume(hu), lungs(), box((4.5, 5.5), (0, 99), (0, 119)), PatchSettings(size=32))
        assert (found[0].pixels.max(axis=0) > 0.2).all()

    @settings(max_examples=40, deadline=None)
    @given(st.data())
    def test_any_box_whose_center_is_in_the_scan_gives_finite_patches(self, data: st.DataObject) -> None:
        center = [data.draw(st.floats(-0.5, size - 0.5)) for size in SHAPE]
        half = [data.draw(st.floats(0.01, 200.0)) for _ in SHAPE]
        bounds = np.array([c - h for c, h in zip(center, half, strict=True)] +
                          [c + h for c, h in zip(center, half, strict=True)])  # fmt: skip
        noise = np.random.default_rng(0).integers(-32768, 32767, SHAPE, dtype=np.int16)
        for patch in extract_patches(volume(noise), lungs(), bounds):
            assert np.isfinite(patch.pixels).all()
            assert 0.0 <= patch.pixels.min() <= patch.pixels.max() <= 1.0
            assert 0.0 <= patch.distance_from_edge <= 0.5

    @pytest.mark.parametrize(("x", "edge_mm"), [((70, 90), 15.5 * 0.5), ((20, 44), 22.5 * 0.5)])
    def test_the_distance_is_measured_in_the_slice_and_in_either_lung(
        self, x: tuple[float, float], edge_mm: float
    ) -> None:
        # Pixels of 0.5 x 2 mm, slices of 7: both lungs together are 110 columns wide and 80 rows high.
        found = extract_patches(volume(spacing=(0.5, 2.0, 7.0)), lungs(), box((4.5, 11.5), (40, 58), x))
        assert [patch.distance_from_edge for patch in found] == pytest.approx([edge_mm / np.hypot(160.0, 55.0)] * 3)


class TestMirror:
    def test_a_mirrored_scan_gives_mirrored_patches_at_the_same_distance(self) -> None:
        rng = np.random.default_rng(1)
        hu = rng.integers(-1000, 100, SHAPE, dtype=np.int16)
        labels = lungs().labels
        width = SHAPE[2]
        one = box((4.5, 5.5), (31.5, 58.5), (70.5, 101.5))
        other = one.copy()
        other[2], other[5] = width - 1 - one[5], width - 1 - one[2]
        before = extract_patches(volume(hu), Lungs(labels), one)
        after = extract_patches(volume(hu[:, :, ::-1].copy()), Lungs(labels[:, :, ::-1].copy()), other)
        for patch, mirrored in zip(before, after, strict=True):
            assert patch.distance_from_edge == pytest.approx(mirrored.distance_from_edge)
            np.testing.assert_allclose(patch.pixels[:, ::-1], mirrored.pixels, atol=1e-5)


@pytest.mark.parametrize(
    "bounds",
    [[0.0] * 6, [1, 2, 3, 4, 5, float("nan")], [1, 2, 3, 4, 5], [4, 4, 4, 8, 8, 3], [900, 0, 0, 901, 9, 9],
     [4, -90, 70, 5, -60, 80]],
)  # fmt: skip
def test_what_is_no_box_in_the_scan_is_refused_in_a_sentence(bounds: list[float]) -> None:
    with pytest.raises(RegionError, match="region"):
        extract_patches(volume(), lungs(), np.array(bounds, dtype=np.float64))


def test_the_window_must_rise() -> None:
    with pytest.raises(ValueError, match="must rise"):
        PatchSettings(window_hu=(200.0, -1150.0))

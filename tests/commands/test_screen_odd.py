"""Damaged and odd scans at the level of the command: each is screened or costs one line, and the status is 0 or 2."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray

Array = NDArray[Any]
Run = Callable[..., Any]


@pytest.fixture(scope="module")
def chest(studies: Path) -> sitk.Image:
    return sitk.ReadImage(str(studies / "phantom-000001.nii.gz"))


def _write(path: Path, hu: Array, like: sitk.Image, spacing: tuple[float, ...] | None = None) -> Path:
    image = sitk.GetImageFromArray(hu)
    image.SetSpacing(spacing or like.GetSpacing())
    image.SetOrigin(like.GetOrigin())
    image.SetDirection(like.GetDirection())
    sitk.WriteImage(image, str(path))
    return path


def _screen(run: Run, inputs: list[Path], models: Path, out: Path) -> list[dict[str, Any]]:
    """Screen all in one go; every input is in the array, and every refusal is one line that names it."""
    ended = run("screen", *inputs, "--out", out, "--model-dir", models, "--json", "--device", "cpu")
    results: list[dict[str, Any]] = json.loads(ended.out)
    assert len(results) == len(inputs)
    errors = [result["error"] for result in results if "error" in result]
    assert ended.status == (2 if errors else 0), ended.err
    lines = [line for line in ended.refusals() if ": note: " not in line]
    assert lines == errors
    for result, path in zip(results, inputs, strict=True):
        if "error" in result:
            assert result["error"].startswith(str(path))
            assert result["input"] == str(path)
        else:
            assert Path(result["document"]).is_file()
            assert Path(result["report"]).is_file()
    assert not list(out.glob(".*"))
    return results


def _odd(hu: Array, rng: np.random.Generator) -> dict[str, Array]:
    """Volumes that can be read and are no ordinary chest."""
    half, slab, window = hu.copy(), hu.copy(), np.clip(hu, -1000, 400)
    half[..., : hu.shape[2] // 2] = 40
    slab[hu.shape[0] // 2 :] = -1024
    return {
        "constant": np.full_like(hu, -1024),
        "dense": np.full_like(hu, 3000),
        "noise": rng.integers(-1024, 2000, hu.shape).astype(hu.dtype),
        "one-lung": half,
        "half-empty": slab,
        "inverted": (-500 - hu).astype(hu.dtype),
        "mirrored": np.ascontiguousarray(hu[:, ::-1, ::-1]),
        "padded": np.where(hu < -950, -3024, hu).astype(hu.dtype),
        "picture": ((window + 1000) * (255 / 1400)).astype(np.uint8),
        "few": hu[: min(8, len(hu))],
        "thin": hu[:, :3],
        "extreme": np.where(rng.random(hu.shape) < 0.01, 32767, hu).astype(hu.dtype),
    }


def test_odd_volumes(run: Run, chest: sitk.Image, narrow_models: Path, tmp_path: Path) -> None:
    hu = sitk.GetArrayFromImage(chest)
    volumes = _odd(hu, np.random.default_rng(1))
    inputs = [_write(tmp_path / f"{name}.nii.gz", volume, chest) for name, volume in volumes.items()]
    for name, spacing in {"tiny": (0.01, 0.01, 0.01), "huge": (40.0, 40.0, 40.0), "flat": (0.5, 9.0, 1.0)}.items():
        inputs.append(_write(tmp_path / f"{name}.nrrd", hu, chest, spacing))
    results = _screen(run, inputs, narrow_models, tmp_path / "out")
    refused = {Path(result["input"]).name.partition(".")[0] for result in results if "error" in result}
    assert {"constant", "dense", "thin", "tiny"} <= refused
    assert "mirrored" not in refused


def _mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut, zero a block, or set bytes anywhere."""
    changed = bytearray(data)
    start = int(rng.integers(len(changed)))
    match rng.integers(3):
        case 0:
            return bytes(changed[:start])
        case 1:
            stop = min(len(changed), start + int(rng.integers(1, 4000)))
            changed[start:stop] = bytes(stop - start)
        case _:
            for position in rng.integers(0, len(changed), rng.integers(1, 30)):
                changed[position] = rng.integers(256)
    return bytes(changed)


@pytest.mark.parametrize("rounds", [2, pytest.param(60, marks=pytest.mark.slow)])
def test_mutated_files(run: Run, chest: sitk.Image, narrow_models: Path, tmp_path: Path, rounds: int) -> None:
    rng = np.random.default_rng(3)
    inputs = []
    for suffix in ("nii", "nii.gz", "nrrd", "mha"):
        whole = tmp_path / f"whole.{suffix}"
        sitk.WriteImage(chest, str(whole))
        for number in range(rounds):
            path = tmp_path / f"{suffix.replace('.', '')}-{number}.{suffix}"
            path.write_bytes(_mutate(whole.read_bytes(), rng))
            inputs.append(path)
    series = _write_series(tmp_path / "series", chest)
    for number in range(rounds):
        folder = tmp_path / f"dicom-{number}"
        shutil.copytree(series, folder)
        files = sorted(folder.iterdir())
        changed = files[int(rng.integers(len(files)))]
        changed.write_bytes(_mutate(changed.read_bytes(), rng))
        ended = run("screen", folder, "--out", tmp_path / "dicom", "--model-dir", narrow_models)
        # One damaged slice may make several series of one.
        assert ended.status in (0, 2), ended.err
        assert (ended.status == 2) == bool([line for line in ended.refusals() if ": note: " not in line])
    _screen(run, inputs, narrow_models, tmp_path / "out")


def _write_series(folder: Path, image: sitk.Image) -> Path:
    """The scan as a DICOM series, written by GDCM."""
    folder.mkdir()
    image = sitk.DICOMOrient(image, "LPS")
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for z in range(image.GetSize()[2]):
        piece = image[:, :, z]
        for tag, value in {
            "0008|0060": "CT",
            "0020|000e": "1.2.826.0.1.3680043.2.1125.77",
            "0008|0018": f"1.2.826.0.1.3680043.2.1125.77.{z + 1}",
            "0008|0008": "ORIGINAL\\PRIMARY\\AXIAL",
            "0020|0032": "\\".join(f"{v:.6f}" for v in image.TransformIndexToPhysicalPoint((0, 0, z))),
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0028|1052": "0",
            "0028|1053": "1",
        }.items():
            piece.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{z:03d}.dcm"))
        writer.Execute(piece)
    return folder


def test_a_folder_of_good_and_bad_cases(run: Run, chest: sitk.Image, narrow_models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "my scans; of (größe)"
    folder.mkdir()
    sitk.WriteImage(chest, str(folder / "good case;ü.nii.gz"))
    _write_series(folder / "series", chest)
    cut = sorted(_write_series(folder / "series-cut", chest).iterdir())[4]
    cut.write_bytes(b"")
    (folder / "bad.nii.gz").write_bytes(b"junk")
    (folder / "._good.nii.gz").write_bytes(b"junk")
    (folder / "gone.nii.gz").symlink_to(tmp_path / "nowhere")
    (folder / "up").symlink_to(folder)
    _write(folder / "nan.nii.gz", np.full((10, 64, 64), np.nan, np.float32), chest)
    ended = run("screen", folder, folder / ".", "--out", tmp_path / "out", "--model-dir", narrow_models)
    assert ended.status == 2
    names = [line.split()[0].rpartition("-")[0] for line in ended.out.splitlines()]
    assert names == ["my_scans_of_größe_good_case_ü", "my_scans_of_größe_series"]
    lines = [line for line in ended.refusals() if ": note: " not in line]
    assert len(lines) == 4
    # Its other slices are copies of those of the whole series.
    for name in ("bad.nii.gz", "gone.nii.gz", "nan.nii.gz", "series-cut/004.dcm"):
        assert sum(line.startswith(f"{folder / name} ") for line in lines) == 1, lines

"""``pneumoscreen import``: what the user sees, and how it ends."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from pneumoscreen.ct.phantoms.phantom import Phantom, PhantomSpec, generate_phantom

from .conftest import Ended

Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return generate_phantom(3, "covid19", PhantomSpec(matrix=64, thickness_mm=10.0))


def write(path: Path, phantom: Phantom, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(phantom.volume.to_sitk(array), path)
    return path


@pytest.fixture
def source(phantom: Phantom, tmp_path: Path) -> Path:
    """Three scans: with a good mask, with a mask of another size, and cut short."""
    folder = tmp_path / "in"
    infection = phantom.infection_mask.astype(np.uint8)
    for name in ("good", "misfit", "short"):
        write(folder / f"{name}.nii.gz", phantom, phantom.volume.hu)
        write(folder / f"{name}_mask.nii.gz", phantom, infection)
    write(folder / "misfit_mask.nii.gz", phantom, infection[:, :-1])
    short = folder / "short.nii.gz"
    short.write_bytes(short.read_bytes()[:5000])
    return folder


def test_bad_inputs_cost_a_line_and_the_status_and_the_others_come_in(run: Run, source: Path, tmp_path: Path) -> None:
    ended = run("import", source, "--studies", tmp_path / "out", "--diagnosis", "covid19")
    assert ended.status == 2
    lines = ended.out.splitlines()
    assert lines[0].startswith("good imported covid19 ") and lines[0].endswith(" regions")
    assert lines[1] == f"masks into {tmp_path / 'out'}: 1 imported, 2 refused" and len(lines) == 2
    misfit, short = ended.refusals()
    assert misfit.startswith(str(source / "misfit_mask.nii.gz")) and "does not fit" in misfit
    assert short.startswith(str(source / "short.nii.gz")) and "truncated" in short


def test_json_tells_the_same(run: Run, source: Path, tmp_path: Path) -> None:
    arguments = ["--studies", tmp_path / "out", "--diagnosis", "covid19", "--json"]
    report = json.loads(run("import", source, *arguments).out)
    assert report["layout"] == "masks" and report["dry_run"] is False
    assert {case["case_id"]: case["action"] for case in report["cases"]} == {
        "good": "imported",
        "misfit": "refused",
        "short": "refused",
    }
    assert report["counts"]["imported"] == 1 and report["counts"]["refused"] == 2


def test_a_clean_import_ends_with_0_and_so_does_its_repetition(
    run: Run, phantom: Phantom, source: Path, tmp_path: Path
) -> None:
    for name in ("misfit", "short"):
        for path in source.glob(f"{name}*"):
            path.unlink()
    arguments = ("import", source, "--studies", tmp_path / "out", "--diagnosis", "covid19")
    dry = run(*arguments, "--dry-run")
    assert dry.status == 0 and "dry run: nothing was written" in dry.out and not (tmp_path / "out").exists()
    first, second = run(*arguments), run(*arguments)
    assert (first.status, second.status) == (0, 0) and first.err == second.err == ""
    assert "good imported covid19" in first.out and "good unchanged covid19" in second.out


def test_ras_markups(run: Run, phantom: Phantom, tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.nii.gz", phantom, phantom.volume.hu)
    center, size = phantom.volume.box_to_mm(phantom.lesions[0].box)
    roi = {
        "type": "ROI",
        "coordinateSystem": "RAS",
        "center": [-center[0], -center[1], center[2]],
        "size": size.tolist(),
    }
    (tmp_path / "in" / "a.mrk.json").write_text(json.dumps({"markups": [roi]}), encoding="utf-8")
    arguments = ("--studies", tmp_path / "out", "--diagnosis", "covid19", "--reader", "reader-a")
    ended = run("import", tmp_path / "in", *arguments)
    assert ended.status == 0 and ended.out.startswith("a imported covid19 1 region\n")
    document = json.loads((tmp_path / "out" / "labels" / "final" / "a.json").read_text(encoding="utf-8"))
    assert np.allclose(document["regions"][0]["center_mm"], center, atol=0.01)
    assert document["regions"][0]["reader"]["name"] == "reader-a"
    roi["type"] = "Fiducial"
    (tmp_path / "in" / "a.mrk.json").write_text(json.dumps({"markups": [roi]}), encoding="utf-8")
    refused = run("import", tmp_path / "in", "--studies", tmp_path / "other", "--diagnosis", "covid19")
    assert refused.status == 2 and "no ROI, so no region has a size" in refused.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--layout", "nifti"], "--layout nifti"),
        (["--layout", "mosmed"], "no folders CT-0 to CT-4"),
        (["--layout", "covid19-ct-seg"], "no folder COVID-19-CT-Seg_20cases"),
        (["--layout", "voc"], "no Pascal VOC files"),
        (["--diagnosis", "plague"], "--diagnosis plague"),
        (["--label", "plague"], "--label plague"),
        (["--reader", "../../etc"], "--reader"),
        (["--annotations", "absent"], "absent"),
        (["--speed", "9"], "--speed"),
    ],
)
def test_mistakes_are_one_sentence(run: Run, arguments: list[str], reason: str, source: Path, tmp_path: Path) -> None:
    ended = run("import", source, "--studies", tmp_path / "out", *arguments)
    assert ended.status == 2 and ended.out == ""
    assert len(ended.refusals()) == 1 and reason in ended.err


def test_a_folder_of_no_layout(run: Run, phantom: Phantom, tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.nii.gz", phantom, phantom.volume.hu)
    ended = run("import", tmp_path / "in", "--studies", tmp_path / "out")
    assert ended.status == 2 and ended.out == ""
    assert "looks like none of the layouts" in ended.err and "mosmed" in ended.err
    assert run("import", tmp_path / "none", "--studies", tmp_path / "out").status == 2


def test_studies_that_cannot_be_written(run: Run, source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = run("import", source, "--studies", tmp_path / "file", "--diagnosis", "covid19")
    assert ended.status == 2 and ended.out == "" and str(tmp_path / "file") in ended.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_studies_that_may_not_be_written(run: Run, source: Path, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    ended = run("import", source, "--studies", tmp_path / "locked" / "out", "--diagnosis", "covid19")
    assert ended.status == 2 and ended.out == "" and "cannot be written" in ended.err


@pytest.mark.parametrize("inner", [".", "studies"])
def test_studies_and_source_do_not_lie_in_each_other(run: Run, inner: str, source: Path) -> None:
    ended = run("import", source, "--studies", source / inner, "--diagnosis", "covid19")
    assert ended.status == 2 and "lie in each other" in ended.err
    assert not (source / "labels").exists()


def test_help_answers_quickly() -> None:
    start = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-m", "pneumoscreen", "import", "--help"],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "COLUMNS": "200", "PYTHONIOENCODING": "utf-8"},
    )
    assert ended.returncode == 0 and time.perf_counter() - start < 10
    for word in ("covid19-ct-seg", "mosmed", "markups", "voc", "--dry-run", "--anonymous-ids", "--diagnosis"):
        assert word in ended.stdout

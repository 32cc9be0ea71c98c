"""The command line, as a user meets it: lines, files, exit statuses, and never a traceback for a mistake."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

import pneumoscreen
from pneumoscreen.case import Case
from pneumoscreen.cli import main
from pneumoscreen.ct.candidates.finding import CandidateModel, CandidateSettings
from pneumoscreen.ct.classifier import ClassifierModel, ClassifierSettings
from pneumoscreen.ct.phantoms.phantom import PhantomSpec
from pneumoscreen.ct.phantoms.studies import write_studies
from pneumoscreen.models.store import ModelStore

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(pneumoscreen.__file__).parents[1])}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store with untrained networks: the command line does not care what they say."""
    root = tmp_path_factory.mktemp("models")
    card = {"data": "none", "seed": 0, "command": "tests/test_cli.py", "figures": {}, "licence": "Apache-2.0"}
    networks = {
        "ct_candidates": CandidateModel.untrained(CandidateSettings()),
        "ct_classifier": ClassifierModel.untrained(ClassifierSettings()),
    }
    for name, model in networks.items():
        ModelStore(root).publish(name, model.state(), {**card, "network": model.card_network()})
    return root


@pytest.fixture(scope="session")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small phantom as NIfTI."""
    return write_studies(tmp_path_factory.mktemp("studies"), 1, 1, PhantomSpec(matrix=96, slices=20))[0]


def _start(arguments: Sequence[str], **streams: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "pneumoscreen", *arguments], env=ENVIRONMENT, encoding="utf-8", **streams
    )


class TestHelp:
    def test_it_imports_no_network_package(self) -> None:
        code = (
            "import sys; from pneumoscreen.cli import main; main(['--help']); "
            "sys.exit(bool({'torch', 'monai', 'SimpleITK', 'numpy'} & set(sys.modules)))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, encoding="utf-8", check=False
        )
        assert done.returncode == 0
        for command in ("screen", "serve", "train", "evaluate", "phantom", "demo", "bench"):
            assert re.search(rf"\b{command}\b", done.stdout)

    @pytest.mark.parametrize("command", ["screen", "serve", "train", "evaluate", "phantom", "demo", "bench", "export"])
    def test_every_command_explains_itself(self, command: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([command, "--help"]) == 0
        assert "Usage" in capsys.readouterr().out

    @pytest.mark.parametrize("kind", ["csv", "fhir", "coco", "nnunet", "bundle", "onnx"])
    def test_every_export_gives_an_example(self, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["export", kind, "--help"]) == 0
        assert f"Example: pneumoscreen export {kind}" in capsys.readouterr().out

    def test_without_arguments_it_is_shown(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([]) == 0
        assert "screen" in capsys.readouterr().out

    def test_the_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--version"]) == 0
        assert capsys.readouterr().out == f"pneumoscreen {pneumoscreen.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["screen"], "INPUT"),
        (["screen", "scan.nii.gz"], "--out"),
        (["screen", "scan.nii.gz", "--output", "x"], "--output"),
        (["screem"], "screem"),
        (["train", "lungs", "--studies", "a", "--config", "b", "--out", "c"], "lungs"),
        (["serve", "--studies", "a", "--port", "70000"], "--port"),
        (["phantom", "--out", "x", "--cases", "0"], "--cases"),
        (["phantom", "--out", "x", "--cases", "many"], "--cases"),
    ],
)
def test_bad_usage_costs_one_line_that_names_it(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert named in output.err


class TestScreen:
    def test_a_case_gives_a_line_a_document_and_a_report(
        self, scan: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["screen", str(scan), "--out", str(tmp_path), "--model-dir", str(models), "--device", "cpu"]) == 0
        output = capsys.readouterr()
        (document,) = tmp_path.glob("*.json")
        case = Case.from_json(document.read_text(encoding="utf-8"))
        name = case.case_id
        assert (document.stem, name[:15]) == (name, "phantom-000001-")
        assert case.verdict is not None
        seconds = case.timings_s["total"]
        assert output.out == f"{name} {case.verdict.label} {case.verdict.exported:.2f} {seconds:.1f}\n"
        assert output.err == f"{pneumoscreen.RESEARCH_USE_ONLY}\n"
        assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.html", f"{name}.json"]
        assert "</html>" in (tmp_path / f"{name}.html").read_text(encoding="utf-8")
        assert list(case.timings_s) == ["read", "lungs", "candidates", "classify", "report", "total"]
        stages = [seconds for name, seconds in case.timings_s.items() if name != "total"]
        assert sum(stages) == pytest.approx(case.timings_s["total"], rel=0.2)

    def test_bad_inputs_are_named_and_the_others_screened(
        self, scan: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text, absent, out = tmp_path / "text.nii.gz", tmp_path / "absent.nii.gz", tmp_path / "out"
        text.write_text("hello")
        inputs = [str(absent), str(scan), str(text)]
        arguments = ["screen", *inputs, "--out", str(out), "--model-dir", str(models), "--json", "--index"]
        assert main(arguments) == 2
        output = capsys.readouterr()
        refusals = output.err.splitlines()[1:]
        assert [line.count(name) for line, name in zip(refusals, ("absent.nii.gz", "text.nii.gz"), strict=True)] == [
            1,
            1,
        ]
        first, second, third = json.loads(output.out)
        assert first == {"input": str(absent), "error": refusals[0]}
        assert third == {"input": str(text), "error": refusals[1]}
        document = json.loads(Path(second["document"]).read_text(encoding="utf-8"))
        assert second["case_id"] == document["case_id"]
        assert second["source"] == document["image"]["source"] == "phantom-000001.nii.gz"
        assert second["verdict"] == document["verdict"]["label"]
        assert second["seconds"] == document["timings_s"]["total"]
        assert Path(second["report"]).is_file()
        index = (out / "index.html").read_text(encoding="utf-8")
        assert f"{second['case_id']}.html" in index
        assert "phantom-000001.nii.gz" in index
        assert "absent.nii.gz" in index

    def test_a_scan_without_lungs_is_refused(
        self, shared_data: Path, models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        scan = shared_data / "ct" / "no_lung_abdomen" / "example_ct.nii.gz"
        assert main(["screen", str(scan), "--out", str(tmp_path), "--model-dir", str(models)]) == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.splitlines()[1].startswith(f"{scan}: no lungs")
        assert len(output.err.splitlines()) == 2
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            (["--out", "file"], "file: a file stands"),
            (["--model-dir", "absent"], "absent"),
            (["--device", "abacus"], "--device abacus"),
            (["--device", "cuda:99"], "--device cuda:99"),
        ],
    )
    def test_a_mistake_costs_one_line(
        self,
        change: list[str],
        named: str,
        scan: Path,
        models: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("file").write_text("kept")
        options = {"--out": "out", "--model-dir": str(models), "--device": "cpu", change[0]: change[1]}
        assert main(["screen", str(scan), *(word for option in options.items() for word in option)]) == 2
        lines = [line for line in capsys.readouterr().err.splitlines() if line != pneumoscreen.RESEARCH_USE_ONLY]
        assert len(lines) == 1
        assert named in lines[0]
        assert Path("file").read_text(encoding="utf-8") == "kept"


class TestPhantom:
    def test_the_same_seed_gives_the_same_cases(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        folders = [tmp_path / "a", tmp_path / "b"]
        for folder in folders:
            assert main(["phantom", "--out", str(folder), "--cases", "1", "--matrix", "64", "--slices", "12"]) == 0
            assert capsys.readouterr().out == f"{folder / 'phantom-000001.nii.gz'}\n"
        documents = [(folder / "labels" / "final" / "phantom-000001.json").read_bytes() for folder in folders]
        assert documents[0] == documents[1]

    @pytest.mark.parametrize(("option", "value"), [("--matrix", "2"), ("--slices", "1"), ("--diagnosis", "healthy")])
    def test_a_setting_out_of_range_is_named(
        self, option: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["phantom", "--out", str(tmp_path / "x"), option, value]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"{option} {value}:")
        assert error.count("\n") == 1


def test_serving_an_absent_folder_costs_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--studies", str(tmp_path / "absent")]) == 2
    error = capsys.readouterr().err
    assert "absent does not exist" in error
    assert error.count("\n") == 1


def test_an_interruption_ends_quietly(tmp_path: Path) -> None:
    arguments = ["phantom", "--out", str(tmp_path), "--cases", "500", "--matrix", "64", "--slices", "12"]
    process = _start(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    limit = time.monotonic() + 60
    while not list(tmp_path.glob("*.nii.gz")) and time.monotonic() < limit:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (130, "", "")


def test_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    arguments = ["phantom", "--out", str(tmp_path), "--cases", "1", "--matrix", "64", "--slices", "12"]
    process = _start(arguments, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (141, "")

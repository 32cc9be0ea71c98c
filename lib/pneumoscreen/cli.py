"""The command line: ``pneumoscreen screen | serve | train | evaluate | phantom | demo | bench``.

This module knows options and exit statuses; the work of a command stands in ``commands/`` or in the part
it belongs to and is imported when the command runs, so that ``pneumoscreen --help`` answers at once.

Exit status: 0 done; 1 a fault of the program; 2 bad usage or bad input, one line on standard error for each;
130 interrupted; 141 the reader of standard output went away.
"""

import os
import signal
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from . import RESEARCH_USE_ONLY, __version__
from .commands.terminal import complain, quiet_packages
from .errors import PneumoScreenError

STATUS_BAD_INPUT = 2
STATUS_INTERRUPTED = 130
STATUS_BROKEN_PIPE = 141

app = typer.Typer(
    name="pneumoscreen",
    help=f"Screening of chest CT for pneumonia.\n\n{RESEARCH_USE_ONLY}",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ModelDir = Annotated[
    Path | None, typer.Option("--model-dir", help="Folder of published models.", show_default="the project's own")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N; auto takes a GPU where there is one.")]


class TrainTask(StrEnum):
    """The networks that can be trained."""

    CT_CANDIDATES = "ct_candidates"
    CT_CLASSIFIER = "ct_classifier"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status; a user's mistake ends in one line, not a traceback."""
    arguments = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    quiet_packages()
    try:
        status = app(args=arguments, prog_name="pneumoscreen", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "pneumoscreen"
        complain(f"{command}: {error.format_message().rstrip('.')} (see {command} --help)")
        status = STATUS_BAD_INPUT
    except PneumoScreenError as error:
        complain(str(error))
        status = STATUS_BAD_INPUT
    except (KeyboardInterrupt, typer.Abort):
        status = STATUS_INTERRUPTED
    except BrokenPipeError:
        status = STATUS_BROKEN_PIPE
    except OSError as error:
        # A full disk, a folder taken away: nothing to mend in the program.
        complain(f"{error.filename or 'input or output'}: {error.strerror or error}")
        status = STATUS_BAD_INPUT
    except SystemExit as ending:
        # Typer turns a broken pipe into status 1, which here means a fault.
        if not isinstance(ending.__context__, BrokenPipeError):
            raise
        status = STATUS_BROKEN_PIPE
    if status == STATUS_BROKEN_PIPE:
        # The interpreter flushes standard output once more at its end; that must find an open file.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if status == STATUS_INTERRUPTED:
        # A second Ctrl-C while threads wind down ends the program without a traceback.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return int(status or 0)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pneumoscreen {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options that stand before the command."""


@app.command()
def screen(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT…", help="DICOM folder, NIfTI, NRRD or MHA file, or a folder of such cases."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the case documents and reports; made where missing.")],
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON array, an object an input, instead of a line a case.")
    ] = False,
    index: Annotated[bool, typer.Option("--index", help="Also write OUT/index.html, a table of all cases.")] = False,
    model_dir: ModelDir = None,
    device: Device = "auto",
) -> int:
    """Screen CTs: for each case OUT/<case_id>.json and .html, and a line <case_id> <verdict> <confidence> <seconds>.

    Exit status 0: all screened. 2: an input could not be screened; the others were.
    """
    from .commands.screen import screen_inputs

    return screen_inputs(inputs, out, as_json=json, with_index=index, model_dir=model_dir, device=device)


@app.command()
def serve(
    studies: Annotated[Path, typer.Option(help="Folder of the studies that are offered to clients.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
) -> None:
    """Start the MONAI Label server."""
    from .server.serve import serve as start

    start(studies, host=host, port=port)


@app.command()
def train(
    task: Annotated[TrainTask, typer.Argument(help="The network to train.")],
    studies: Annotated[Path, typer.Option(help="MONAI Label studies folder with case documents as labels.")],
    config: Annotated[Path, typer.Option(help="Settings, such as configs/paper.yaml.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and the log; made where missing.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the newest checkpoint in OUT.")] = False,
    model_dir: ModelDir = None,
    device: Device = "auto",
) -> None:
    """Train a network on labelled studies and publish it."""
    from .commands.train import train_task

    train_task(task.value, studies, config, out, resume=resume, model_dir=model_dir, device=device)


@app.command()
def evaluate(
    out: Annotated[Path, typer.Option(help="Folder for the figures; made where missing.")],
    cases: Annotated[int, typer.Option(min=1, help="Number of unseen synthetic cases.")] = 90,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first case.")] = 100_000,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON instead of tables.")] = False,
    model_dir: ModelDir = None,
    device: Device = "auto",
) -> None:
    """Screen a cohort of synthetic cases and print recall, f1 and accuracy in the paper's form."""
    from .commands.evaluate import evaluate_cohort

    evaluate_cohort(out, cases=cases, seed=seed, model_dir=model_dir, device=device, as_json=json)


@app.command()
def phantom(
    out: Annotated[Path, typer.Option(help="Studies folder to write; made where missing.")],
    cases: Annotated[int, typer.Option(min=1, help="Number of cases, a third of each diagnosis.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same cases.")] = 1,
    diagnosis: Annotated[str | None, typer.Option(help="One diagnosis for all cases.", show_default="in turn")] = None,
    matrix: Annotated[int, typer.Option(help="Pixels a row and rows a slice.")] = 256,
    slices: Annotated[int | None, typer.Option(help="Slices a case.", show_default="drawn from the seed")] = None,
    onto: Annotated[
        Path | None, typer.Option(help="A real scan: put synthetic lesions into its lungs instead.", show_default=False)
    ] = None,
    clear_side: Annotated[
        str, typer.Option("--clear-side", help="With --onto: the lung without opacities: left, right or both.")
    ] = "both",
) -> None:
    """Write synthetic chest CTs with their full truth as a MONAI Label studies folder."""
    from .commands.phantom import write_lesions_onto, write_phantoms

    if onto is not None:
        write_lesions_onto(onto, out, cases=cases, seed=seed, clear_side=clear_side)
        return
    write_phantoms(out, cases=cases, seed=seed, diagnosis=diagnosis, matrix=matrix, slices=slices)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for scans, documents and reports.")] = Path("demo-output"),
    ct: Annotated[Path | None, typer.Option(help="Screen this scan instead of three synthetic ones.")] = None,
) -> int:
    """Make three synthetic cases, start the server, screen them over REST and print the verdicts."""
    from .commands.folders import prepare_folder
    from .server.demo import run_demo

    return int(run_demo(prepare_folder(out), ct=ct) or 0)


@app.command()
def bench(
    out: Annotated[Path, typer.Option(help="File for the figures; scans are kept beside it.")] = Path(
        "build/bench.json"
    ),
    model_dir: ModelDir = None,
    device: Device = "auto",
) -> None:
    """Measure time and memory of a screening and how fast the server answers meanwhile."""
    from .bench.run import run_bench

    run_bench(out, model_dir=model_dir, device=device)

"""The command line: ``pneumoscreen COMMAND``; ``pneumoscreen --help`` lists the commands.

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
from .commands.pacs import app as pacs_app
from .commands.terminal import complain, quiet_packages, write_any_name
from .errors import PneumoScreenError
from .methods import networks

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
TokensFile = Annotated[
    Path | None,
    typer.Option(
        "--tokens",
        help="File of the API tokens; none for a server without.",
        envvar="PNEUMOSCREEN_TOKENS",
        show_envvar=True,
        show_default="the user's own",
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N; auto takes a GPU where there is one.")]


class TokenRole(StrEnum):
    """What the holder of a token may do; each may do what those before may."""

    READER = "reader"
    TRAINER = "trainer"
    ADMINISTRATOR = "administrator"


class PhantomModality(StrEnum):
    """What ``phantom`` makes and ``evaluate`` judges."""

    CT = "ct"
    CXR = "cxr"


def _network(name: str) -> str:
    """The name of a network that can be trained."""
    if name not in networks():
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(map(repr, networks()))}")
    return name


class CrossTask(StrEnum):
    """The networks that can be cross-validated."""

    CLASSES = "classes"
    LOCALIZATION = "localization"
    LUNG_BOXES = "lung_boxes"


class CrossGrouping(StrEnum):
    """What the folds of a cross-validation divide."""

    IMAGE = "image"
    PATIENT = "patient"


class CrossTrunk(StrEnum):
    """What the discriminator is built on."""

    RESNET18 = "resnet18"
    EFFICIENTNET_LITE0 = "efficientnet_lite0"


class CrossView(StrEnum):
    """What the X-ray discriminator looks at."""

    LUNGS = "lungs"
    WHOLE = "whole"
    BLANKED = "blanked"


class EvaluationSide(StrEnum):
    """Sides of the split by patient that can be evaluated."""

    TEST = "test"
    VALIDATION = "validation"
    TRAINING = "training"
    ALL = "all"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status; a user's mistake ends in one line, not a traceback."""
    arguments = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    quiet_packages()
    write_any_name()
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
    anonymous_ids: Annotated[
        bool, typer.Option("--anonymous-ids", help="Name cases by hashes: folder names may be patients' names.")
    ] = False,
    model_dir: ModelDir = None,
    device: Device = "auto",
) -> int:
    """Screen CTs: for each case OUT/<case_id>.json and .html, and a line <case_id> <verdict> <confidence> <seconds>.

    Exit status 0: all screened. 2: an input could not be screened; the others were.
    """
    from .commands.screen import screen_inputs

    return screen_inputs(
        inputs,
        out,
        as_json=json,
        with_index=index,
        anonymous_ids=anonymous_ids,
        model_dir=model_dir,
        device=device,
    )


@app.command()
def serve(
    studies: Annotated[Path, typer.Option(help="Folder of the studies that are offered to clients.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8000,
    tokens: TokensFile = None,
    ssl_certfile: Annotated[
        Path | None, typer.Option("--ssl-certfile", "--ssl_certfile", help="Serve HTTPS: certificate, a PEM file.")
    ] = None,
    ssl_keyfile: Annotated[
        Path | None, typer.Option("--ssl-keyfile", "--ssl_keyfile", help="Serve HTTPS: private key, a PEM file.")
    ] = None,
    ssl_keyfile_password: Annotated[
        str | None,
        typer.Option(
            "--ssl-keyfile-password",
            "--ssl_keyfile_password",
            envvar="PNEUMOSCREEN_SSL_KEYFILE_PASSWORD",
            help="Password of the key; other users of the machine see an option, but not a variable.",
        ),
    ] = None,
    follow_links: Annotated[
        list[Path] | None,
        typer.Option(help="Folder outside of the studies that links in them may lead to; may be given again."),
    ] = None,
) -> None:
    """Start the MONAI Label server.

    Other machines reach it by --host, and then only with a token: see `pneumoscreen tokens add --help`.
    """
    from .server.serve import serve as start
    from .server.tls import tls_files

    tls = tls_files(ssl_certfile, ssl_keyfile, ssl_keyfile_password)
    start(studies, host=host, port=port, tokens=tokens, tls=tls, follow_links=follow_links or ())


@app.command()
def train(
    task: Annotated[
        str, typer.Argument(parser=_network, metavar="NETWORK", help=f"The network to train: {', '.join(networks())}.")
    ],
    studies: Annotated[Path, typer.Option(help="MONAI Label studies folder with case documents as labels.")],
    config: Annotated[Path, typer.Option(help="Settings, such as configs/paper.yaml.")],
    out: Annotated[Path, typer.Option(help="Folder for plan, checkpoints and status; made where missing.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in OUT, on what it began with.")] = False,
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Begin with random weights, not with those in use.")
    ] = False,
    model_dir: ModelDir = None,
    device: Device = "auto",
) -> None:
    """Train a network on labelled studies and publish it, unless it is worse than the one in use."""
    from .commands.train import train_task

    train_task(
        task,
        studies,
        config,
        out,
        resume=resume,
        from_scratch=from_scratch,
        model_dir=model_dir,
        device=device,
    )


@app.command()
def evaluate(
    out: Annotated[Path, typer.Option(help="Folder for the figures; made where missing.")],
    studies: Annotated[
        Path | None, typer.Option(help="Studies folder with labels.", show_default="synthetic cases")
    ] = None,
    side: Annotated[
        EvaluationSide | None, typer.Option(help="Which patients of the studies.", show_default="test")
    ] = None,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="Fit temperatures and the probability of an infection on the validation patients and publish them.",
        ),
    ] = False,
    cases: Annotated[
        str | None,
        typer.Option(
            metavar="TABLE|NUMBER",
            help="CSV of your own scans or X-rays (path, class, left, right; docs/ct.md, docs/xray.md), or number of "
            "synthetic cases.",
            show_default="90",
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE",
            help="With a table: count only the rows that match; the others are screened and shown. May be repeated.",
            show_default="all rows",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the first synthetic case.", show_default="100000")
    ] = None,
    modality: Annotated[PhantomModality, typer.Option(help="ct: scans; cxr: chest X-rays.")] = PhantomModality.CT,
    readers: Annotated[
        Path | None,
        typer.Option(help="With cxr: CSV of what readers said (case, reader, label).", show_default="none"),
    ] = None,
    reader_study: Annotated[
        bool,
        typer.Option(
            "--reader-study",
            help="With --studies: what readers submitted there; agreement and time with and without the model.",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON instead of tables.")] = False,
    model_dir: ModelDir = None,
    device: Device = "auto",
) -> int:
    """Screen cases of known truth: tables in the paper's form, curves, calibration, agreement; text, JSON and HTML.

    With --cases TABLE: how does it do on your own scans? One page with every scan beside its truth. Of X-rays: the
    figures of each group, which is of one source.
    With --reader-study: how do readers do with it and without it?
    """
    from .commands.cases_option import number_of_cases, table_of_cases

    if reader_study:
        from .commands.evaluate_readers import evaluate_reader_study

        given = {"--side": side, "--calibrate": calibrate, "--cases": cases, "--seed": seed, "--readers": readers}
        wrong = next((name for name, value in given.items() if value not in (None, False)), None)
        if wrong is not None:
            raise typer.BadParameter(f"{wrong} does not go with --reader-study: all readings count, as they were made")
        evaluate_reader_study(studies, out, modality="CT" if modality is PhantomModality.CT else "CXR", as_json=json)
        return 0
    table = table_of_cases(
        cases,
        where or (),
        {
            "--studies": studies is not None,
            "--side": side is not None,
            "--calibrate": calibrate,
            "--seed": seed is not None,
            "--readers": readers is not None,
        },
    )
    if table is not None and modality is PhantomModality.CXR:
        from .commands.evaluate_films import evaluate_films

        return evaluate_films(table, out, where=where or (), model_dir=model_dir, device=device, as_json=json)
    if table is not None:
        from .commands.evaluate_cases import evaluate_site_cases

        return evaluate_site_cases(table, out, where=where or (), model_dir=model_dir, device=device, as_json=json)
    number = number_of_cases(cases)
    if modality is PhantomModality.CXR:
        from .commands.evaluate_radiographs import evaluate_radiograph_models

        evaluate_radiograph_models(
            out,
            studies=studies,
            side=side.value if side else None,
            calibrate=calibrate,
            cases=number,
            seed=seed,
            readers=readers,
            model_dir=model_dir,
            device=device,
            as_json=json,
        )
        return 0
    from .commands.evaluate import evaluate_models

    if readers is not None:
        raise typer.BadParameter("--readers needs --modality cxr")

    evaluate_models(
        out,
        studies=studies,
        side=side.value if side else None,
        calibrate=calibrate,
        cases=number,
        seed=seed,
        model_dir=model_dir,
        device=device,
        as_json=json,
    )
    return 0


@app.command()
def crossvalidate(
    studies: Annotated[Path, typer.Option(help="Studies folder with labelled chest X-rays.")],
    out: Annotated[Path, typer.Option(help="Folder for the results; made where missing.")],
    folds: Annotated[int, typer.Option(min=2, help="Number of folds.")] = 5,
    task: Annotated[CrossTask | None, typer.Option(help="The network.", show_default="classes")] = None,
    by: Annotated[CrossGrouping | None, typer.Option(help="What the folds divide.", show_default="patient")] = None,
    view: Annotated[
        CrossView | None,
        typer.Option(help="lungs; whole picture; blanked: all but the lungs.", show_default="lungs"),
    ] = None,
    plain: Annotated[
        bool,
        typer.Option("--plain", help="Plain ResNet-18: no superpixels, no pyramid, no mirror image, cross-entropy."),
    ] = False,
    no_superpixels: Annotated[bool, typer.Option("--no-superpixels", help="Without the superpixel channel.")] = False,
    no_pyramid: Annotated[bool, typer.Option("--no-pyramid", help="Without the feature pyramid.")] = False,
    cross_entropy: Annotated[bool, typer.Option("--cross-entropy", help="In place of the multi-focal loss.")] = False,
    no_attention: Annotated[bool, typer.Option("--no-attention", help="Localisation without attention.")] = False,
    audit: Annotated[
        bool,
        typer.Option(
            "--audit", help="Method and plain ResNet-18, by image, by patient and with the lungs blanked out."
        ),
    ] = False,
    ablations: Annotated[
        bool, typer.Option("--ablations", help="The method without one of its parts at a time.")
    ] = False,
    widths: Annotated[
        str | None,
        typer.Option(help="Channels of the stages, such as 16,32,64,128.", show_default="the product's"),
    ] = None,
    trunk: Annotated[
        CrossTrunk | None,
        typer.Option(help="Trunk of the discriminator; efficientnet_lite0 knows ImageNet.", show_default="resnet18"),
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=32, help="Side of the square looked at, in pixels.", show_default="224; boxes 128")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs at most.", show_default="as published")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of division, weights and order.")] = 0,
    initial: Annotated[
        Path | None,
        typer.Option(help="model.safetensors, its card beside it, from which folds begin.", show_default="random"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the results as JSON instead of tables.")] = False,
    model_dir: ModelDir = None,
    device: Device = "auto",
) -> None:
    """Cross-validate the X-ray networks on labelled studies: figures per fold and pooled, audit, ablations.

    In each fold a tenth of the training part's patients is set apart for early stopping, so that the test fold is
    never looked at. A fold that is done is kept: the same command goes on where it was interrupted.
    """
    from .commands.crossvalidate import SetUp
    from .commands.crossvalidate import crossvalidate as run

    run(
        studies,
        out,
        set_up=SetUp(
            task=task.value if task else None,
            by=by.value if by else None,
            view=view.value if view else None,
            plain=plain,
            no_superpixels=no_superpixels,
            no_pyramid=no_pyramid,
            cross_entropy=cross_entropy,
            no_attention=no_attention,
        ),
        audit=audit,
        ablations=ablations,
        folds=folds,
        widths=widths,
        size=size,
        epochs=epochs,
        seed=seed,
        trunk=trunk.value if trunk else None,
        initial=initial,
        model_dir=model_dir,
        device=device,
        as_json=json,
    )


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="Folder for the results; made where missing.")],
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="Strategy to compare; may be repeated.", show_default="random and combined"),
    ] = None,
    pool: Annotated[int, typer.Option(min=3, help="Synthetic cases to choose from, the start cases among them.")] = 150,
    test: Annotated[int, typer.Option(min=3, help="Synthetic cases that judge.")] = 90,
    start: Annotated[int, typer.Option(min=3, help="Cases labelled before the first round.")] = 12,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of choosing, labelling and training.")] = 5,
    per_round: Annotated[int, typer.Option("--per-round", min=1, help="Cases labelled in a round.")] = 6,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each strategy.")] = 5,
    config: Annotated[Path | None, typer.Option(help="Settings in YAML.", show_default="built in")] = None,
    cases: Annotated[
        Path | None, typer.Option(help="Folder for prepared cases, to be shared.", show_default="OUT/cases")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what is in OUT.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the results as JSON instead of tables.")] = False,
    model_dir: ModelDir = None,
    device: Device = "auto",
) -> None:
    """Rehearse active learning on synthetic cases with a simulated reader: learning curves of the strategies."""
    from .commands.simulate import simulate_reading

    simulate_reading(
        out,
        strategies=strategy or (),
        pool=pool,
        test=test,
        start=start,
        rounds=rounds,
        per_round=per_round,
        seeds=seeds,
        config=config,
        cases=cases,
        model_dir=model_dir,
        device=device,
        jobs=jobs,
        resume=resume,
        as_json=json,
    )


@app.command()
def phantom(
    out: Annotated[Path, typer.Option(help="Studies folder to write; made where missing.")],
    modality: Annotated[PhantomModality, typer.Option(help="ct: scans; cxr: frontal chest X-rays.")] = (
        PhantomModality.CT
    ),
    cases: Annotated[int, typer.Option(min=1, help="Number of cases, a third of each diagnosis.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same cases.")] = 1,
    diagnosis: Annotated[str | None, typer.Option(help="One diagnosis for all cases.", show_default="in turn")] = None,
    matrix: Annotated[
        int | None,
        typer.Option(
            help="Pixels a row and rows a slice; of an X-ray, pixels of the longer side.",
            show_default="256; 512 for cxr",
        ),
    ] = None,
    slices: Annotated[int | None, typer.Option(help="Slices a CT.", show_default="drawn from the seed")] = None,
    onto: Annotated[
        Path | None, typer.Option(help="A real scan: put synthetic lesions into its lungs instead.", show_default=False)
    ] = None,
    clear_side: Annotated[
        str, typer.Option("--clear-side", help="With --onto: the lung without opacities: left, right or both.")
    ] = "both",
) -> None:
    """Write synthetic chest CTs or chest X-rays with their full truth as a MONAI Label studies folder."""
    from .commands.phantom import write_lesions_onto, write_phantoms, write_radiographs

    if modality is PhantomModality.CXR:
        write_radiographs(out, cases=cases, seed=seed, diagnosis=diagnosis, matrix=matrix, slices=slices, onto=onto)
        return
    if onto is not None:
        write_lesions_onto(onto, out, cases=cases, seed=seed, clear_side=clear_side)
        return
    write_phantoms(out, cases=cases, seed=seed, diagnosis=diagnosis, matrix=matrix, slices=slices)


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="Folder of the scans with their annotations.")],
    studies: Annotated[Path, typer.Option(help="Studies folder to import into; made where missing.")],
    layout: Annotated[
        str,
        typer.Option(
            help="auto, covid19-ct-seg, mosmed, masks, boxes, markups, voc or radiograph-table.", metavar="NAME"
        ),
    ] = "auto",
    annotations: Annotated[
        Path | None, typer.Option(help="Folder of the annotations, if they lie elsewhere.", show_default="SOURCE")
    ] = None,
    diagnosis: Annotated[
        str | None, typer.Option(help="Diagnosis of cases whose data give none.", show_default="from the data")
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Label of regions whose data give none.", show_default="from the diagnosis")
    ] = None,
    reader: Annotated[str, typer.Option(help="Who marked the regions.", metavar="NAME")] = "import",
    link: Annotated[bool, typer.Option("--link/--copy", help="Hard-link scans where possible, or copy.")] = False,
    anonymous_ids: Annotated[
        bool, typer.Option("--anonymous-ids", help="Name cases by hashes: folder names may be patients' names.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; write nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
    model_dir: ModelDir = None,
) -> int:
    """Bring existing scans and annotations into a studies folder with case documents.

    Layouts: covid19-ct-seg (Ma et al. 2020); mosmed (CT-0 to CT-4); masks (<case>_mask.nii.gz, masks/<case>);
    boxes (CSV with case,x0,y0,z0,x1,y1,z1,unit,label, or JSON); markups (ROI .mrk.json of 3D Slicer or MONAI Label);
    voc (Pascal VOC boxes on DICOM slices, such as Lung-PET-CT-Dx); radiograph-table (chest X-rays with a CSV of path,
    patient, diagnosis, lung boxes, affected side).

    A case that a reader annotated is left alone, and a second import of the same data changes nothing.
    Exit status 0: all imported. 2: a case was refused; the others were imported.
    """
    from .commands.import_ import import_studies

    return import_studies(
        source,
        studies,
        layout=layout,
        annotations=annotations,
        diagnosis=diagnosis,
        label=label,
        reader=reader,
        link=link,
        anonymous_ids=anonymous_ids,
        dry_run=dry_run,
        as_json=json,
        model_dir=model_dir,
    )


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for scans, documents and reports.")] = Path("demo-output"),
    ct: Annotated[Path | None, typer.Option(help="Screen this CT or X-ray instead of synthetic ones.")] = None,
) -> int:
    """Make three synthetic CTs and an X-ray, start the server, screen them over REST and print the verdicts."""
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


app.add_typer(pacs_app, name="pacs")

AuditedStudies = Annotated[
    Path | None,
    typer.Option("--studies", help="Enter it into this studies folder's audit log, beside that of the models."),
]

models = typer.Typer(
    help="List models, publish a candidate, go back to an earlier version.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(models, name="models")


@models.command("list")
def list_models(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
    model_dir: ModelDir = None,
) -> None:
    """Print every model: its versions, which is in use, figures, what is damaged, and the candidates with reasons."""
    from .commands.models import list_models as print_models

    print_models(model_dir=model_dir, as_json=json)


@models.command("show")
def show_model(
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    version: Annotated[str, typer.Argument(help="Version number, or id of a candidate.")],
    model_dir: ModelDir = None,
) -> None:
    """Print the card of a version or candidate as JSON."""
    from .commands.models import show_model as print_card

    print_card(name, version, model_dir=model_dir)


@models.command("publish")
def publish_model(
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    candidate: Annotated[str, typer.Argument(help="Id of the candidate; `models list` shows it.")],
    studies: AuditedStudies = None,
    model_dir: ModelDir = None,
) -> None:
    """Publish a kept candidate by hand: it becomes the next version and comes into use."""
    from .commands.models import publish_candidate

    publish_candidate(name, candidate, model_dir=model_dir, studies=studies)


@models.command("rollback")
def rollback_model(
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    to: Annotated[
        int | None, typer.Option(min=1, help="The version to put into use.", show_default="the one before")
    ] = None,
    studies: AuditedStudies = None,
    model_dir: ModelDir = None,
) -> None:
    """Put the version before the one in use, or another, into use."""
    from .commands.models import roll_back

    roll_back(name, to, model_dir=model_dir, studies=studies)


tokens_app = typer.Typer(
    help="Make, list and revoke the API tokens by which the server knows who speaks.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(tokens_app, name="tokens")


@tokens_app.command("add")
def add_token(
    reader: Annotated[str, typer.Option(help="Name under which the holder's annotations are kept.")],
    role: Annotated[
        TokenRole,
        typer.Option(
            help="reader: reads, screens, annotates. trainer: also trains, adjudicates, publishes. "
            "administrator: also deletes and reads logs."
        ),
    ],
    days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Days until it expires.", show_default="never")
    ] = None,
    tokens: TokensFile = None,
) -> None:
    """Make a token and print it, this once; the file keeps a hash of it."""
    from .commands.tokens import add_token as add

    add(reader, role.value, days, tokens)


@tokens_app.command("list")
def list_tokens(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON array instead of a table.")] = False,
    tokens: TokensFile = None,
) -> None:
    """Print id, reader, role, dates and state of every token."""
    from .commands.tokens import list_tokens as print_tokens

    print_tokens(tokens, as_json=json)


@tokens_app.command("revoke")
def revoke_token(
    token: Annotated[str, typer.Argument(metavar="ID", help="Id of the token; `tokens list` shows it.")],
    tokens: TokensFile = None,
) -> None:
    """Revoke a token for good; a running server refuses it at once."""
    from .commands.tokens import revoke_token as revoke

    revoke(token, tokens)

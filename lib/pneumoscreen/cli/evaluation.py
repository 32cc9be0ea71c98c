"""``pneumoscreen evaluate``: its options, and which evaluation they ask for."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..methods import METHODS, method_named
from . import options
from .options import Device, ModelDir, Processes, Ray, RayCpus, RayGpus


class EvaluationSide(StrEnum):
    """Sides of the split by patient that can be evaluated."""

    TEST = "test"
    VALIDATION = "validation"
    TRAINING = "training"
    ALL = "all"


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
    modality: Annotated[str, options.modality(lambda method: method.images)] = "ct",
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
    processes: Processes = None,
    ray: Ray = None,
    ray_cpus: RayCpus = None,
    ray_gpus: RayGpus = None,
    model_dir: ModelDir = None,
    device: Device = "auto",
) -> int:
    """Screen cases of known truth: tables in the paper's form, curves, calibration, agreement; text, JSON and HTML.

    With --cases TABLE: how does it do on your own scans? One page with every scan beside its truth. Of X-rays: the
    figures of each group, which is of one source.
    With --reader-study: how do readers do with it and without it?
    """
    from ..commands import evaluate as commands
    from ..workers.asked import Workers

    method = method_named(modality)
    workers = Workers.of(processes, ray, ray_cpus, ray_gpus, device)
    if reader_study:
        given = {"--side": side, "--calibrate": calibrate, "--cases": cases, "--seed": seed, "--readers": readers}
        given |= {"--processes": processes, "--ray": ray}
        wrong = next((name for name, value in given.items() if value not in (None, False)), None)
        if wrong is not None:
            raise typer.BadParameter(f"{wrong} does not go with --reader-study: all readings count, as they were made")
        commands.evaluate_reader_study(studies, out, modality=method.modality, as_json=json)
        return 0
    table = commands.table_of_cases(
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
    if table is not None:
        return commands.evaluate_table(
            method, table, out, where=where or (), model_dir=model_dir, device=device, as_json=json, workers=workers
        )
    number = commands.number_of_cases(cases)
    if readers is not None and not method.has_readers:
        with_readers = " or ".join(other.name for other in METHODS if other.has_readers)
        raise typer.BadParameter(f"--readers needs --modality {with_readers}")
    commands.evaluate_models(
        method,
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
        workers=workers,
    )
    return 0

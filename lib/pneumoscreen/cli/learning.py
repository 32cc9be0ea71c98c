"""Commands that train networks: on labelled studies, in folds, in a rehearsal with a simulated reader."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ..methods import METHODS, networks
from . import options
from .options import Device, ModelDir


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


def _cross_tasks() -> list[str]:
    return [task for method in METHODS for task in method.cross_tasks]


def _cross_task(name: str) -> str:
    """The name of what can be cross-validated."""
    return _one_of(name, _cross_tasks())


def _network(name: str) -> str:
    """The name of a network that can be trained."""
    return _one_of(name, list(networks()))


def _one_of(name: str, known: Sequence[str]) -> str:
    if name not in known:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(map(repr, known))}")
    return name


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
    from ..commands.train import train_task

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


def crossvalidate(
    studies: Annotated[Path, typer.Option(help="Studies folder with labelled chest X-rays.")],
    out: Annotated[Path, typer.Option(help="Folder for the results; made where missing.")],
    folds: Annotated[int, typer.Option(min=2, help="Number of folds.")] = 5,
    task: Annotated[
        str | None,
        typer.Option(
            parser=_cross_task,
            metavar=f"<{'|'.join(_cross_tasks())}>",
            help="The network.",
            show_default=_cross_tasks()[0],
        ),
    ] = None,
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
    from ..commands.device import pick_device
    from ..commands.evaluate import crossvalidate as run
    from ..commands.terminal import complain, progress_of
    from ..evaluation.request import CrossRequest
    from ..models.store import ModelStore

    asked: dict[str, str | bool | None] = {
        "task": task,
        "by": by and by.value,
        "view": view and view.value,
        "plain": plain,
        "no_superpixels": no_superpixels,
        "no_pyramid": no_pyramid,
        "cross_entropy": cross_entropy,
        "no_attention": no_attention,
    }
    request = CrossRequest(
        out,
        ModelStore(model_dir),
        pick_device(device),
        complain,
        progress_of,
        studies=studies,
        set_up={name: value for name, value in asked.items() if value},
        audit=audit,
        ablations=ablations,
        folds=folds,
        widths=widths,
        size=size,
        epochs=epochs,
        seed=seed,
        trunk=trunk and trunk.value,
        initial=initial,
    )
    run(request, as_json=json)


def simulate(
    out: Annotated[Path, typer.Option(help="Folder for the results; made where missing.")],
    modality: Annotated[str, options.modality(lambda method: method.phantom_images)] = "ct",
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
    from ..commands.simulate import simulate_reading

    simulate_reading(
        out,
        modality=modality,
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

"""``pneumoscreen export``: results, annotated cases and networks in the formats of other programs."""

from pathlib import Path
from typing import Annotated

import typer

from .options import ModelDir

app = typer.Typer(
    help="Write results, annotated cases and networks in the formats of other programs (docs/export.md).",
    context_settings={"help_option_names": ["-h", "--help"]},
)
Source = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Studies folder, or the folder that screen or archive wrote into.")
]
Studies = Annotated[Path, typer.Argument(metavar="STUDIES", help="Studies folder with annotated cases.")]
Networks = Annotated[
    list[str] | None, typer.Argument(metavar="[NETWORK…]", help="Names as in `models list`.", show_default="all")
]
Out = Annotated[Path, typer.Option(help="A new folder; nothing that is there already is written over.")]
Anonymous = Annotated[
    bool,
    typer.Option("--anonymous", help="Hash ids with the key of FOLDER; leave out dates, places, names and notes."),
]


@app.command("csv")
def export_csv(source: Source, out: Out, anonymous: Anonymous = False, model_dir: ModelDir = None) -> int:
    """Results as tables: OUT/cases.csv, a line a case, and OUT/regions.csv, a line a region.

    Example: pneumoscreen export csv screened --out tables

    Exit status 2: a document was left out; the others were written.
    """
    from ..commands.export import export_tables

    return export_tables(source, out, anonymous=anonymous, model_dir=model_dir)


@app.command("fhir")
def export_fhir(
    source: Source,
    out: Out,
    patients: Annotated[
        Path | None,
        typer.Option(
            help="CSV of case, system and patient: identifiers of your own in place of the hashed ones.",
            show_default="hashed identifiers",
        ),
    ] = None,
    anonymous: Anonymous = False,
    model_dir: ModelDir = None,
) -> int:
    """Results as FHIR R4: a Bundle a case with DiagnosticReport, ImagingStudy and Observations.

    Example: pneumoscreen export fhir /data/studies --out bundles

    Exit status 2: a document was left out; the others were written.
    """
    from ..commands.export import export_fhir as export

    return export(source, out, anonymous=anonymous, patients=patients, model_dir=model_dir)


@app.command("coco")
def export_coco(studies: Studies, out: Out, anonymous: Anonymous = False, model_dir: ModelDir = None) -> int:
    """Annotated X-rays as COCO: pictures, and the boxes of the lungs by side of the split.

    Example: pneumoscreen export coco /data/studies --out coco

    Exit status 2: a case was left out; the others were written.
    """
    from ..commands.export import export_coco as export

    return export(studies, out, anonymous=anonymous, model_dir=model_dir)


@app.command("nnunet")
def export_nnunet(
    studies: Studies,
    out: Out,
    number: Annotated[int, typer.Option("--id", min=1, max=999, help="Number of the data set.")] = 501,
    anonymous: Anonymous = False,
    model_dir: ModelDir = None,
) -> int:
    """Annotated CTs as a raw data set of nnU-Net v2: lungs and infection, divided by patient.

    Example: pneumoscreen export nnunet /data/studies --out nnUNet_raw

    Exit status 2: a case was left out; the others were written.
    """
    from ..commands.export import export_nnunet as export

    return export(studies, out, number=number, anonymous=anonymous, model_dir=model_dir)


@app.command("bundle")
def export_bundle(
    out: Out,
    networks: Networks = None,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Leave out where, when and on what the networks were trained.")
    ] = False,
    model_dir: ModelDir = None,
) -> int:
    """Networks as MONAI bundles, which `python -m monai.bundle run` runs.

    Example: pneumoscreen export bundle ct_candidates --out bundles
    """
    from ..commands.export import export_bundles

    return export_bundles(networks or (), out, anonymous=anonymous, model_dir=model_dir)


@app.command("onnx")
def export_onnx(
    out: Out,
    networks: Networks = None,
    anonymous: Annotated[
        bool, typer.Option("--anonymous", help="Changes nothing: these files never say where a network was trained.")
    ] = False,
    model_dir: ModelDir = None,
) -> int:
    """Networks as ONNX files, each held to PyTorch's outputs. Needs pip install '.[onnx]' in the project's folder.

    Example: pneumoscreen export onnx cxr_lung_boxes --out onnx

    Exit status 2: a network does not export or says something else than PyTorch; the others were written.
    """
    from ..commands.export import export_onnx as export

    del anonymous
    return export(networks or (), out, model_dir=model_dir)

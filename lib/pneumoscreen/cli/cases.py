"""Commands that fill a studies folder: with synthetic cases, with data that others annotated."""

from pathlib import Path
from typing import Annotated

import typer

from ..commands.terminal import Meter
from ..methods import method_named
from . import options
from .options import ModelDir


def phantom(
    out: Annotated[Path, typer.Option(help="Studies folder to write; made where missing.")],
    modality: Annotated[str, options.modality(lambda method: method.phantom_images)] = "ct",
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
    from ..output import prepare_folder
    from ..phantoms.studies import PhantomRequest

    write = method_named(modality).phantoms(PhantomRequest(cases, seed, diagnosis, matrix, slices, onto, clear_side))
    out = prepare_folder(out)
    with Meter("phantom") as progress:
        images = write(out, lambda done, of: progress(f"{done} of {of}", done / of))
    for image in images:
        print(image)


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
    from ..commands.import_ import import_studies

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

"""``output=dicom_seg``: what an inference marked, as the DICOM Segmentation that a PACS gets (``pacs.segmentation``).

The headers of the images are read in this process: the limited one has read the same files just before.
"""

import io
import secrets
from collections.abc import Sequence
from pathlib import Path

from fastapi.responses import Response

from ...images.reader import input_of
from ..failures import RequestError
from .engine import Engine
from .tasks import TaskResult

_DICOM = "application/dicom"


def require_dicom(path: Path, shown: str) -> None:
    """Refuse an image that is no DICOM image, before anything is computed.

    Args:
        path: its file or folder.
        shown: what the client calls it.

    Raises:
        RequestError: if so.
    """
    if not path.is_dir() and not path.name.lower().endswith(".dcm"):
        raise RequestError(
            f"query output: image {shown[:200]} is no DICOM image, and a DICOM Segmentation refers to one; "
            "use all or image"
        )


def segmentation_files(result: TaskResult, path: Path, engine: Engine) -> list[bytes]:
    """The Segmentation of a result as DICOM files: one, unless its segments take too much memory for one.

    Args:
        result: of a task that marks voxels.
        path: file or folder of the scan.
        engine: reads the scans.

    Raises:
        PneumoScreenError: if none can be made; the label map of the result is gone then.
    """
    # Here and not above: highdicom takes a second to import.
    from ...pacs.about import About
    from ...pacs.privacy import unlogged
    from ...pacs.segmentation import segmentations
    from ...pacs.source import source_of

    try:
        with unlogged():
            source = source_of(input_of(path, engine.reading.more_of(path)))
            made, _ = segmentations(About(result.case, source, None, result.masks, engine.classes()))
            files = []
            for dataset in made:
                target = io.BytesIO()
                dataset.save_as(target, write_like_original=False)
                files.append(target.getvalue())
            return files
    except BaseException:
        if result.label_map is not None:
            result.label_map.unlink(missing_ok=True)
        raise


def dicom_answer(files: Sequence[bytes]) -> Response:
    """One file as itself; several as DICOMweb sends them, in a multipart message."""
    if len(files) == 1:
        disposition = {"Content-Disposition": 'attachment; filename="segmentation.dcm"'}
        return Response(files[0], media_type=_DICOM, headers=disposition)
    boundary = secrets.token_hex(16)
    head = f"--{boundary}\r\nContent-Type: {_DICOM}\r\n\r\n".encode()
    body = b"".join(head + file + b"\r\n" for file in files) + f"--{boundary}--\r\n".encode()
    return Response(body, media_type=f'multipart/related; type="{_DICOM}"; boundary={boundary}')

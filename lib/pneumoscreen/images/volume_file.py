"""Volumes in one file: NIfTI, NRRD and MetaImage.

The header is read first and checked against the file's size and the limits, so that it cannot claim memory. It is
parsed once (NIfTI's by nibabel), and the voxels are read by what that found: no library opens a file that a header
names.
"""

import zlib
from pathlib import Path
from typing import IO, Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from .content_kind import NIFTI, not_readable
from .faults import AbsentError, DamagedError, DimensionError, GeometryError, NotCTError
from .meta_header import read_meta_header
from .plain_file import open_plain
from .raw import RawImage, check_bytes, check_size, hash_files
from .voxel_bytes import open_gzip, read_bytes

# Deflate cannot do better than about 1030 to 1.
_MAX_COMPRESSION = 1100
_UNIT_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
# A mask may lie this far from its scan, too.
_TOLERANCE_VOXELS = 0.5
_LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0])
_AGAIN = "copy or export it again"


def read_volume_file(path: Path) -> RawImage:
    """Read a NIfTI, NRRD or MetaImage file, told apart by its suffix.

    Raises:
        ImageError: of the type that names what is wrong with it.
    """
    try:
        if path.stat().st_size == 0:
            raise DamagedError(f"{path} is empty; {_AGAIN}")
        return _read_nifti(path) if path.name.lower().endswith((".nii", ".nii.gz")) else _read_with_text_header(path)
    except OSError:
        raise AbsentError(f"{path} cannot be read; check that it is there and may be opened") from None
    except MemoryError:
        raise DimensionError(f"{path} is too large for this machine's memory; give the chest only") from None


def _read_nifti(path: Path) -> RawImage:
    with open_plain(path) as plain:
        zipped = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        file: IO[bytes] = open_gzip(plain) if zipped else plain
        try:
            values, header = _nifti_values(file, path, zipped)
        except (EOFError, zlib.error):
            raise DamagedError(f"{path} is truncated or damaged; {_AGAIN}") from None
    affine = _nifti_affine(header, path)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    x, y, z = (float(v) for v in _LPS_FROM_RAS @ affine[:3, 3])
    return RawImage(
        values=values,
        # The file holds 32-bit floats: 1.2000000477 means 1.2.
        spacing_mm=(round(float(spacing[0]), 6), round(float(spacing[1]), 6), round(float(spacing[2]), 6)),
        origin_mm=(x, y, z),
        direction=_LPS_FROM_RAS @ (affine[:3, :3] / spacing),
        sha256=hash_files([path]),
    )


def _nifti_values(file: IO[bytes], path: Path, zipped: bool) -> tuple[NDArray[np.generic], Any]:
    start = file.read(4)
    kinds = {348: nibabel.Nifti1Header, 540: nibabel.Nifti2Header}
    kind = kinds.get(int.from_bytes(start, "little")) or kinds.get(int.from_bytes(start, "big"))
    if kind is None:
        raise not_readable(path, NIFTI, f"is no NIfTI file whatever its suffix says; {_AGAIN}")
    start += file.read(kind.sizeof_hdr - 4)
    if len(start) < kind.sizeof_hdr:
        raise DamagedError(f"{path} ends within its header; {_AGAIN}")
    header = kind(start, check=False)
    try:
        dtype, shape, offset = header.get_data_dtype(), header.get_data_shape(), float(header["vox_offset"])
        slope, intercept = header.get_slope_inter()
    except Exception:
        # nibabel raises KeyError, ValueError and its own HeaderDataError for fields out of range.
        raise DamagedError(f"{path} has a damaged header; {_AGAIN}") from None
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    check_size(str(path), tuple(int(n) for n in shape))
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise DimensionError(f"{path} holds colours or complex numbers and no grey values; give the CT itself")
    if not kind.sizeof_hdr <= offset <= 1 << 24:
        raise DamagedError(f"{path} has a damaged header; {_AGAIN}")
    count = int(np.prod(shape))
    _check_bytes(path, count * dtype.itemsize, path.stat().st_size, zipped)
    if slope is not None:
        check_bytes(str(path), count * np.dtype(np.float32).itemsize)
    file.read(int(offset) - kind.sizeof_hdr)
    data = read_bytes(file, "raw", count * dtype.itemsize, path)
    # Files keep x fastest: reversed shape in C order is [z, y, x].
    values = data.view(dtype).reshape(shape[::-1])
    if zipped:
        file.read(1)  # Reading past the end makes gzip compare its checksum.
    return _scaled(values.astype(dtype.newbyteorder("="), copy=False), slope, intercept, path), header


def _scaled(
    values: NDArray[np.generic], slope: float | None, intercept: float | None, path: Path
) -> NDArray[np.generic]:
    if slope is None or (slope == 1.0 and not intercept):
        return values
    if abs(slope) > 1e6 or abs(intercept or 0.0) > 1e6:
        raise NotCTError(f"{path} scales its values by {slope:g}, which gives no Hounsfield units; {_AGAIN}")
    with np.errstate(over="ignore"):
        return values.astype(np.float32) * np.float32(slope) + np.float32(intercept or 0.0)


def _nifti_affine(header: Any, path: Path) -> NDArray[np.float64]:
    """Index (i, j, k) to RAS mm, 4x4.

    Raises:
        GeometryError: if the header has no orientation, or several places for one voxel: the standard puts the sform
            first, viewers on ITK take the qform and the spacing of pixdim, and boxes would lie elsewhere in each.
    """
    pixdim = np.asarray(header["pixdim"][1:4], np.float64)
    if not np.isfinite(pixdim).all() or (pixdim == 0).any():
        raise GeometryError(f"{path} has no voxel spacing (pixdim is 0); export it again with its spacing")
    forms = []
    try:
        # The quaternion is only meaningful if its code says so.
        forms += [header.get_sform()] if header["sform_code"] > 0 else []
        forms += [header.get_qform()] if header["qform_code"] > 0 else []
    except Exception:
        raise GeometryError(f"{path} has a damaged orientation; {_AGAIN}") from None
    if not forms:
        raise GeometryError(
            f"{path} does not say which side is left (sform and qform codes are 0); "
            "export it again with its orientation"
        )
    forms = [np.asarray(form, np.float64) for form in forms]
    for form in forms:
        if not np.isfinite(form).all() or abs(np.linalg.det(form[:3, :3])) < 1e-9:
            raise GeometryError(f"{path} has a damaged orientation; {_AGAIN}")
    _check_agreement(forms, np.abs(pixdim), header.get_data_shape()[:3], path)
    scale = _UNIT_MM.get(int(header["xyzt_units"]) & 7)
    if scale is None:
        raise GeometryError(f"{path} gives its spacing in an unknown unit; export it again in mm")
    affine = forms[0].copy()
    affine[:3] *= scale
    return affine


def _check_agreement(
    forms: list[NDArray[np.float64]], pixdim: NDArray[np.float64], shape: tuple[int, ...], path: Path
) -> None:
    """Refuse forms (index to RAS, 4x4) that put a corner of the image in places more than half a voxel apart."""
    by_pixdim = forms[0].copy()
    by_pixdim[:3, :3] *= pixdim / np.linalg.norm(forms[0][:3, :3], axis=0)
    corners = np.array([(*corner, 1.0) for corner in np.ndindex(2, 2, 2)])
    corners[:, :3] *= np.array(shape) - 1
    places = [(corners @ form.T)[:, :3] for form in (*forms, by_pixdim)]
    apart = max(float(np.linalg.norm(there - places[0], axis=1).max()) for there in places[1:])
    if not apart <= _TOLERANCE_VOXELS * pixdim.min():
        raise GeometryError(
            f"{path} contradicts itself on orientation or spacing: its sform, qform and pixdim put a voxel in places "
            f"{apart:.3g} apart; export it again with one orientation"
        )


def _read_with_text_header(path: Path) -> RawImage:
    header = read_meta_header(path)
    check_size(str(path), header.size)
    _check_bytes(path, header.needed_bytes, header.data_bytes, header.codec != "raw")
    with open_plain(header.data) as file:
        file.seek(header.offset)
        data = read_bytes(file, header.codec, header.needed_bytes, path)
    # Files keep x fastest: reversed size in C order is [z, y, x].
    values = data.view(header.dtype).reshape(header.size[::-1])
    return RawImage(
        values=values.astype(header.dtype.newbyteorder("="), copy=False),
        spacing_mm=header.spacing_mm,
        origin_mm=header.origin_mm,
        direction=header.direction,
        sha256=hash_files(header.files),
    )


def _check_bytes(path: Path, needed: int, there: int, compressed: bool) -> None:
    if needed > there * (_MAX_COMPRESSION if compressed else 1):
        raise DamagedError(f"{path} is truncated: it holds less than its header claims; {_AGAIN}")
    check_bytes(str(path), needed)

"""OHIF, a viewer for the browser: its built package from npm, fetched once into a build folder.

Nothing of it is part of this project. ``python -m scripts.ohif`` fetches it.
"""

import hashlib
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

PACKAGE, VERSION = "@ohif/app", "3.13.2"
"""Under the licence MIT."""
SHA256 = "b189d3963bfc58e9394a9db8c7be75d07beb029ec211dbb126d47b62969dd3f1"
"""Of the package's file in the registry."""
BUILD = Path(__file__).resolve().parents[1] / "build"
_FETCH_S = 600.0
_OFFLINE = "name a folder or file that has it: OHIF=PATH"


class ViewerError(Exception):
    """The viewer cannot be had; a sentence says why and what to do."""


def viewer_folder(given: Path | None = None, build: Path | None = None, may_fetch: bool = True) -> Path:
    """The folder of the built viewer.

    Args:
        given: a folder, or the package's file, that the user has already; None: npm fetches the pinned version.
        build: where it is unpacked, and kept for the next time; default: ``BUILD``.
        may_fetch: whether it may be fetched.

    Raises:
        ViewerError: if there is none.
    """
    if given is not None and given.is_dir():
        for folder in (given, given / "dist", given / "package" / "dist"):
            if _is_viewer(folder):
                return folder
        raise ViewerError(f"{given} holds no built viewer (index.html); give the folder dist of {PACKAGE}")
    if given is not None and not given.is_file():
        raise ViewerError(f"{given} is not there; {_OFFLINE}")
    build = build or BUILD
    unpacked = build / f"ohif-{VERSION}"
    if not _is_viewer(unpacked):
        if given is None and not may_fetch:
            raise ViewerError(f"OHIF {VERSION} was not fetched; make ohif")
        _unpack(given or _fetched(build), unpacked)
    return unpacked


def _is_viewer(folder: Path) -> bool:
    return (folder / "index.html").is_file()


def _fetched(build: Path) -> Path:
    """The package's file, by npm, which knows a site's own registry."""
    npm = shutil.which("npm")
    if npm is None:
        raise ViewerError(f"npm is not installed; apt-get install npm, or {_OFFLINE}")
    build.mkdir(parents=True, exist_ok=True)
    # Without a network npm would try again for more than a minute.
    options = ["--ignore-scripts", "--fetch-retries=0", "--pack-destination", str(build)]
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", *options]
    print(f"fetching OHIF {VERSION} (50 MB, once)", flush=True)
    try:
        ended = subprocess.run(command, capture_output=True, timeout=_FETCH_S)
    except subprocess.TimeoutExpired:
        raise ViewerError(f"npm did not fetch {PACKAGE} in {_FETCH_S:.0f} s; {_OFFLINE}") from None
    if ended.returncode:
        raise ViewerError(f"npm could not fetch {PACKAGE} {VERSION}; {_OFFLINE}")
    return build / f"{PACKAGE.removeprefix('@').replace('/', '-')}-{VERSION}.tgz"


def _unpack(file: Path, folder: Path) -> None:
    """Put the viewer of a package's file into a folder, whole or not at all."""
    if hashlib.sha256(file.read_bytes()).hexdigest() != SHA256:
        raise ViewerError(f"{file} is not {PACKAGE} {VERSION} (its checksum is another one); remove it and try again")
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    with tarfile.open(file) as package:
        package.extractall(part, filter="data")
    (part / "package" / "dist").rename(folder)
    shutil.rmtree(part)


def main() -> int:
    """Fetch the viewer; 0 where it is there afterwards."""
    try:
        print(f"OHIF {VERSION}: {viewer_folder()}")
    except ViewerError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

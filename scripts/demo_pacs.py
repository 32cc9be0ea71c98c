"""``make demo-pacs``: an Orthanc on loopback, two CTs and an X-ray sent to it, the watcher, what it stored, and OHIF.

All images are phantoms of this project. Nothing leaves the machine; everything lies in the folder that is named.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from pneumoscreen import RESEARCH_USE_ONLY
from pneumoscreen.ct.phantoms.phantom import PhantomSpec, generate_phantom
from pneumoscreen.cxr.phantoms.radiograph import generate_radiograph

from .ohif import ViewerError, viewer_folder
from .orthanc import Orthanc, missing
from .phantom_files import write_ct, write_xray
from .viewer import Viewer

CTS = (("covid19", 41), ("no_infection_found", 53))
"""Diagnosis and seed of the phantoms: clear cases, as those of `make demo`."""
XRAY = ("covid19", 12)
WANTED = {"CT": {"SEG", "SR", "DOC", "OT"}, "DX": {"SR", "DOC", "OT"}}
"""Modalities of what must be stored: segmentation, report, PDF, picture. An X-ray has no segmentation."""
_MARK = ".pneumoscreen-demo-pacs"


def main() -> int:
    """Run the demonstration; 0 where everything that is wanted is in Orthanc."""
    options = _options()
    needed = missing()
    if needed:
        print(f"the demonstration needs Debian packages: apt-get install {' '.join(needed)}", file=sys.stderr)
        return 2
    out: Path = options.out.resolve()
    if out.exists() and not (out / _MARK).exists() and any(out.iterdir()):
        print(f"{out} is there already and no demonstration made it; name another folder with --out", file=sys.stderr)
        return 2
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / _MARK).touch()
    print(f"PneumoScreen and a PACS. {RESEARCH_USE_ONLY}")
    studies = _phantoms(out / "sent", PhantomSpec(matrix=options.matrix, slices=options.slices))
    orthanc = Orthanc(out / "orthanc")
    orthanc.start()
    viewer = _viewer(options.ohif, orthanc) if options.stay else None
    try:
        orthanc.send(out / "sent")
        print(f"Orthanc at {orthanc.url}: two CTs and an X-ray were sent with storescu")
        status = _watch(orthanc, out)
        complete = _check(orthanc, studies, out / "results", viewer)
        if options.stay:
            pages = [f"Orthanc Explorer: {orthanc.url}/app/explorer.html", *([f"OHIF: {viewer.url}"] if viewer else [])]
            print(*pages, "press Enter to stop", sep="\n", flush=True)
            input()
    finally:
        if viewer is not None:
            viewer.stop()
        orthanc.stop()
    if status:
        print(f"the watcher ended with status {status}", file=sys.stderr)
    print(f"All results lie in {out / 'results'}; Orthanc was stopped." if complete else "Results are missing.")
    return 0 if complete and status == 0 else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo-output/pacs"), help="folder for everything")
    parser.add_argument("--matrix", type=int, default=256, help="rows and columns of the phantom CTs")
    parser.add_argument("--slices", type=int, default=60, help="slices of the phantom CTs")
    parser.add_argument(
        "--stay",
        action=argparse.BooleanOptionalAction,
        default=sys.stdin.isatty(),
        help="wait for Enter before Orthanc and the viewer are stopped; default: at a terminal",
    )
    parser.add_argument("--ohif", type=Path, help="folder or file of the viewer OHIF; default: npm fetches it")
    return parser.parse_args()


def _phantoms(folder: Path, spec: PhantomSpec) -> dict[str, str]:
    """Write the phantoms as DICOM; modality by study."""
    from pydicom import dcmread

    files = {"CT": [], "DX": []}
    for diagnosis, seed in CTS:
        volume = generate_phantom(seed, diagnosis, spec).volume
        files["CT"].append(write_ct(volume, folder / volume.case_id)[0])
    radiograph = generate_radiograph(XRAY[1], XRAY[0]).radiograph
    files["DX"].append(write_xray(radiograph, folder / radiograph.case_id / "0000.dcm"))
    return {
        str(dcmread(path, stop_before_pixels=True).StudyInstanceUID): kind for kind in files for path in files[kind]
    }


def _watch(orthanc: Orthanc, out: Path) -> int:
    command = [sys.executable, "-m", "pneumoscreen", "pacs", "watch", "--pacs", orthanc.dicomweb]
    options = ["--state", str(out / "state"), "--days", "0", "--interval", "1", "--quiet", "1", "--once"]
    return subprocess.run([*command, *options], env=os.environ).returncode


def _viewer(given: Path | None, orthanc: Orthanc) -> Viewer | None:
    """OHIF beside an Orthanc; None where it cannot be had, which a line says."""
    try:
        return Viewer(viewer_folder(given), orthanc.url).start()
    except ViewerError as error:
        print(f"without the viewer OHIF: {error}")
        return None


def _check(orthanc: Orthanc, studies: dict[str, str], results: Path, viewer: Viewer | None) -> bool:
    """Whether Orthanc has all that is wanted; copies the results, and prints links for each study."""
    results.mkdir()
    complete = True
    for study, kind in studies.items():
        series = {str(tags["Modality"]): str(tags["SeriesInstanceUID"]) for tags in orthanc.instances(study)}
        found = [str(tags["Modality"]) for tags in orthanc.instances(study) if tags["Modality"] != kind]
        complete &= set(found) == WANTED[kind] and len(found) == len(WANTED[kind])
        for number, content in enumerate(orthanc.files(study, tuple(WANTED[kind])), start=1):
            (results / f"{kind}-{study[-8:]}-{number}.dcm").write_bytes(content)
        link = f"{orthanc.url}/app/explorer.html#study?uuid={orthanc.identifier(study)}"
        print(f"{kind}: {', '.join(sorted(found))} stored; {link}")
        if viewer is not None:
            print(f"    in OHIF: {viewer.link(study, series.get('SEG', series.get('SR')))}")
    return complete


if __name__ == "__main__":
    sys.exit(main())

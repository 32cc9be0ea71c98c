"""MONAI without what a screening does not need; whoever needs it later still gets it."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from pneumoscreen.commands.quick_imports import UNUSED, import_monai
import_monai()
assert not [name for name in UNUSED if name in sys.modules], sorted(UNUSED)
import pneumoscreen.cxr.screening
import monai.inferers, monai.apps.detection.utils.ATSS_matcher
import ignite.engine, sklearn.metrics, matplotlib.pyplot, pandas
print("done")
"""

SCREENING_OF_A_CT = """
import sys
from pathlib import Path
import numpy as np
from pneumoscreen.commands.screen import Screeners, _screen, Reading
from pneumoscreen.images.volume import Volume
screeners = Screeners(None, "cpu")
screeners.load("CT")
hu = np.full((24, 96, 128), -1000, np.int16)
hu[:, 8:88, 8:120] = 40
hu[:, 20:80, 16:54] = hu[:, 20:80, 74:112] = -850
hu[8:14, 40:60, 20:40] = -100
volume = Volume(hu, (3.0, 3.0, 6.0), (0.0, 0.0, 0.0), np.eye(3), "chest", Path("chest"), "0" * 64)
case, write = _screen(Reading(volume, 0.0), screeners, lambda stage, fraction: None)
write(Path(sys.argv[1]))
print([name for name in ("monai", "matplotlib", "pandas", "sklearn") if name in sys.modules])
"""


def test_screening_loads_without_ignite_and_mlflow_and_both_can_be_imported_afterwards() -> None:
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "done", found.stderr[-2000:]


def test_the_screening_of_a_ct_loads_neither_monai_nor_what_it_brings(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCREENING_OF_A_CT, str(tmp_path / "report.html")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "[]", found.stderr[-2000:]
    assert (tmp_path / "report.html").exists()

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
from pneumoscreen.commands.screen import Reading, Screeners, screen_with_report
from pneumoscreen.ct.method import METHOD as CT
from pneumoscreen.images.volume import Volume
screeners = Screeners(None, "cpu")
screeners.load(CT)
hu = np.full((24, 96, 128), -1000, np.int16)
hu[:, 8:88, 8:120] = 40
hu[:, 20:80, 16:54] = hu[:, 20:80, 74:112] = -850
hu[8:14, 40:60, 20:40] = -100
volume = Volume(hu, (3.0, 3.0, 6.0), (0.0, 0.0, 0.0), np.eye(3), "chest", Path("chest"), "0" * 64)
case, write = screen_with_report(Reading(volume, CT, 0.0), screeners, lambda stage, fraction: None)
write(Path(sys.argv[1]))
unused = ("monai", "matplotlib", "pandas", "sklearn", "scipy.signal", "scipy.stats")
print([name for name in unused if name in sys.modules])
"""

LOADED_NETWORKS = """
import gc
from pneumoscreen.commands.screen import Screeners
from pneumoscreen.ct.method import METHOD as CT
rounds = []
gc.callbacks.append(lambda phase, info: rounds.append(phase))
screeners = Screeners(None, "cpu")
before = len(rounds)
screeners.load(CT)
during, kept = len(rounds) - before, gc.get_freeze_count()
later = [[] for _ in range(1000)]
screeners.load(CT)
print(during, kept > 100_000, gc.get_freeze_count() == kept, gc.isenabled())
"""


def test_screening_loads_without_ignite_and_mlflow_and_both_can_be_imported_afterwards() -> None:
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "done", found.stderr[-2000:]


def test_the_screening_of_a_ct_loads_neither_monai_nor_what_it_brings(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCREENING_OF_A_CT, str(tmp_path / "report.html")]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "[]", found.stderr[-2000:]
    assert (tmp_path / "report.html").exists()


def test_the_networks_are_loaded_without_a_search_for_cycles_and_left_out_of_all_later_ones() -> None:
    found = subprocess.run([sys.executable, "-c", LOADED_NETWORKS], capture_output=True, text=True, check=False)
    assert found.stdout.split() == ["0", "True", "True", "True"], found.stderr[-2000:]


def test_who_had_no_search_for_cycles_still_has_none() -> None:
    program = "import gc\ngc.disable()\nfrom pneumoscreen.commands.quick_imports import uncollected\n"
    program += "with uncollected(): pass\nprint(gc.isenabled())"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "False", found.stderr[-2000:]

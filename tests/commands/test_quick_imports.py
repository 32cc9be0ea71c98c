"""MONAI without what a screening does not need; whoever needs it later still gets it."""

import subprocess
import sys

PROGRAM = """
import sys
from pneumoscreen.commands.quick_imports import UNUSED, import_monai
import_monai()
assert not [name for name in UNUSED if name in sys.modules], sorted(UNUSED)
import monai.inferers, monai.apps.detection.utils.ATSS_matcher
import pneumoscreen.ct.screening
import ignite.engine
print("done")
"""


def test_screening_loads_without_ignite_and_mlflow_and_both_can_be_imported_afterwards() -> None:
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "done", found.stderr[-2000:]

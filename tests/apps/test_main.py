"""``monailabel start_server`` finds the app, from a checkout that was never installed as well."""

import os
import subprocess
import sys
from pathlib import Path

APP = Path(__file__).resolve().parents[2] / "apps" / "pneumoscreen"

# What MONAI Label does to find the app and start it.
LOOK_IT_UP = """
import sys
from monailabel.interfaces.utils.app import app_instance
app = app_instance(sys.argv[1], sys.argv[2], {})
print(sorted(app.info()["models"]), sorted(app.info()["strategies"]), app.datastore().list_images())
"""


def test_monai_label_finds_the_app_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "scan.nii.gz").write_bytes(b"x")
    (tmp_path / "._scan.nii.gz").write_bytes(b"x")
    plain = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-c", LOOK_IT_UP, str(APP), str(tmp_path)]
    result = subprocess.run(command, env=plain, capture_output=True, encoding="utf-8", timeout=240, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.strip().splitlines()[-1] == (
        "['ct_candidates', 'ct_classifier', 'ct_screening', 'cxr_screening'] "
        "['combined', 'diverse', 'epistemic', 'first', 'random', 'uncertainty'] ['scan']"
    )

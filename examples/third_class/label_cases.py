"""Writes synthetic cases of three types into a studies folder: ``python label_cases.py STUDIES [CASES]``.

What is called ``rsv`` here is drawn like influenza A: it shows how three types are trained, not what RSV looks like.
"""

import json
import subprocess
import sys
from pathlib import Path


def label_cases(studies: Path, cases: int) -> dict[str, int]:
    """Write the cases; returns how many there are of each diagnosis."""
    words = ["phantom", "--out", studies, "--cases", cases, "--seed", 1, "--matrix", 128, "--slices", 24]
    subprocess.run([sys.executable, "-m", "pneumoscreen", *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    counts: dict[str, int] = {}
    for number, path in enumerate(sorted((studies / "labels" / "final").glob("*.json"))):
        document = json.loads(path.read_text(encoding="utf-8"))
        # The diagnoses of phantoms take turns: of every two cases of influenza A one is renamed.
        if document["diagnosis"] == "influenza_a" and number % 2:
            path.write_text(json.dumps(document).replace('"influenza_a"', '"rsv"'), encoding="utf-8")
            document["diagnosis"] = "rsv"
        counts[document["diagnosis"]] = counts.get(document["diagnosis"], 0) + 1
    return counts


if __name__ == "__main__":
    print(label_cases(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 24))

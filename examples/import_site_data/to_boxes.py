"""Turns a site's table of findings into the layout ``boxes``: ``python to_boxes.py FINDINGS.csv BOXES.csv``.

This site measures to the patient's right, to the front and upwards; LPS counts to the left, to the back and upwards.
"""

import csv
import sys
from pathlib import Path

LABELS = {"COVID": "covid19", "flu": "influenza_a", "scar": "irrelevant"}
COLUMNS = ("case", "x0", "y0", "z0", "x1", "y1", "z1", "unit", "label")


def to_boxes(findings: Path, boxes: Path) -> int:
    """Write the boxes; returns how many."""
    with findings.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    with boxes.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for number, row in enumerate(rows, start=2):
            if row["finding"] not in LABELS:
                raise SystemExit(f"{findings}: row {number}: finding {row['finding']!r} is none of {', '.join(LABELS)}")
            center = (-float(row["right_mm"]), -float(row["front_mm"]), float(row["up_mm"]))
            half = float(row["diameter_mm"]) / 2.0
            low, high = ([value + sign * half for value in center] for sign in (-1, 1))
            table.writerow([row["scan"], *low, *high, "mm", LABELS[row["finding"]]])
    return len(rows)


if __name__ == "__main__":
    print(f"{to_boxes(Path(sys.argv[1]), Path(sys.argv[2]))} boxes")

"""Screens every image of a folder and writes a table: ``python screen_folder.py SCANS RESULTS``. Research use only."""

import csv
import sys
from pathlib import Path

from pneumoscreen import Screeners, screen
from pneumoscreen.errors import PneumoScreenError

COLUMNS = ("image", "verdict", "confidence", "infection", "problem")


def screen_folder(scans: Path, results: Path) -> list[dict[str, object]]:
    """Screen the entries of a folder, write a report and a document of each, and return the rows of the table."""
    results.mkdir(parents=True, exist_ok=True)
    screeners = Screeners(None, "auto")
    rows: list[dict[str, object]] = []
    for path in sorted(scans.iterdir()):
        row: dict[str, object] = {"image": path.name}
        try:
            result = screen(path, screeners=screeners)
        except PneumoScreenError as error:
            row["problem"] = str(error)
        else:
            result.report(results / f"{result.case.case_id}.html")
            result.save(results / f"{result.case.case_id}.json")
            row["verdict"] = result.verdict.label
            row["confidence"] = f"{result.verdict.exported:.3f}"
            # None where the networks in use have no calibration.
            if result.verdict.infection is not None:
                row["infection"] = f"{result.verdict.infection.probability:.3f}"
        rows.append(row)
    with (results / "table.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        table.writerows(rows)
    return rows


if __name__ == "__main__":
    for one in screen_folder(Path(sys.argv[1]), Path(sys.argv[2])):
        print(one["image"], one.get("verdict") or one["problem"])

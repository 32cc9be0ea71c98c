"""What a reader of an evaluation of the X-ray method must keep in mind, as far as the evaluation itself can tell."""

from ...evaluation.cautions import FEW_OF_A_KIND, few_patients, not_the_test_patients
from ...report.wording import display_name
from ...studies.split import Side
from .summary import RadiographSummary


def radiograph_cautions(summary: RadiographSummary) -> list[str]:
    """Sentences, the weightiest first."""
    people = summary.population
    return [
        *_who(people.how),
        *_how_many(summary),
        *_unusable(summary),
        "Where the source of the pictures (hospital, device, file) differs with the class, a network can tell the "
        "source instead of the disease. `pneumoscreen crossvalidate --audit` measures how much is left when the lungs "
        "are blanked out; read no accuracy without it.",
        "The affected side is judged on X-rays that truly show COVID-19, whatever class the networks gave them.",
    ]


def _who(how: str | None) -> list[str]:
    if how is None:
        return [
            "These are synthetic X-rays. The figures show that the program works as it is meant to; they say nothing "
            "of how it does on patients."
        ]
    wrong = next((side for side in (Side.TRAINING, Side.VALIDATION, "all") if how == f"{side} side of the split"), None)
    return [] if wrong is None else [not_the_test_patients(wrong)]


def _how_many(summary: RadiographSummary) -> list[str]:
    people = summary.population
    found = few_patients(people.patients)
    few = ", ".join(f"{display_name(name)} {n}" for name, n in people.labels.items() if 0 < n < FEW_OF_A_KIND)
    none = ", ".join(display_name(name) for name, n in people.labels.items() if not n)
    if few:
        found.append(f"Few X-rays of a kind ({few}): one more or less moves their figures visibly.")
    if none and summary.classes:
        found.append(f"No X-ray of: {none}. Figures that need such X-rays are not defined.")
    if summary.classes and summary.classes.accuracy.estimate == 1.0 and people.patients > 1:
        lowest = max(0.0, 1.0 - 3.0 / people.patients)
        found.append(
            "Every class was right, so the bootstrap sees no errors and its interval is a point; the true accuracy "
            f"may still be as low as {lowest:.2f} (rule of three)."
        )
    return found


def _unusable(summary: RadiographSummary) -> list[str]:
    found = []
    if summary.classes and summary.classes.unscreened:
        found.append(
            f"{summary.classes.unscreened} X-rays could not be screened; accuracy, sensitivity and specificity count "
            "them as wrong, the matrix, the curves and the calibration leave them out."
        )
    if summary.left_out:
        found.append(f"{len(summary.left_out)} X-rays had unusable pictures or labels and count for nothing.")
    return found

"""What a reader of an evaluation of the CT method must keep in mind, as far as the evaluation itself can tell."""

from ...evaluation.cautions import FEW_OF_A_KIND, few_patients, not_the_test_patients
from ...metrics.confusion import UNSCREENED
from ...report.wording import display_name, plural
from ...studies.split import Side
from .summary import Summary


def cautions(summary: Summary) -> list[str]:
    """Sentences, the weightiest first."""
    people = summary.population
    return [
        *_who(summary),
        *_how_many(summary),
        *_nothing_wrong(summary),
        *_unusable(summary),
        *_certainty(summary),
        f"Truth is a rule over the marked lesions: a region or patch counts as pneumonia where enough of it is marked. "
        f"Where a site gave boxes without masks, the lesion was taken to fill them. {people.lesions} lesions were "
        "marked; one that nobody marked counts as a false region where it was found.",
    ]


def _who(summary: Summary) -> list[str]:
    side = summary.population.side
    if side is None:
        return [
            "These are synthetic cases. The figures show that the program works as it is meant to; they say nothing "
            "of how it does on patients."
        ]
    if side == Side.TEST:
        return []
    return [not_the_test_patients(side)]


def _how_many(summary: Summary) -> list[str]:
    people = summary.population
    found = few_patients(people.patients)
    few = [(name, count) for name, count in people.diagnoses.items() if 0 < count < FEW_OF_A_KIND]
    none = [display_name(name) for name, count in people.diagnoses.items() if not count]
    if few:
        kinds = ", ".join(f"{display_name(name)} {count}" for name, count in few)
        found.append(f"Few cases of a kind ({kinds}): one case more or less moves their recall visibly.")
    if none:
        found.append(f"No case of {', '.join(none)}: recall, and the curves that need such cases, are not defined.")
    return found


def _nothing_wrong(summary: Summary) -> list[str]:
    """Where there is no error the bootstrap sees none; the rule of three (3 / n) says what may still be there."""
    result = summary.result
    patients = {outcome.patient: outcome.diagnosis == result.classes.none_found for outcome in result.outcomes}
    without = sum(patients.values())
    shares = [
        ("accuracy", summary.accuracy[result.head], len(patients)),
        ("sensitivity", summary.sensitivity[result.head], len(patients) - without),
        ("specificity", summary.specificity[result.head], without),
    ]
    whole = [f"{name} {max(0.0, 1.0 - 3.0 / n):.2f}" for name, share, n in shares if n > 1 and share.estimate == 1.0]
    if not whole:
        return []
    return [
        "Where every verdict was right the bootstrap sees no errors, and its interval is a point. With so few patients "
        f"the true figures may still be as low as: {', '.join(whole)} (rule of three)."
    ]


def _unusable(summary: Summary) -> list[str]:
    result = summary.result
    found = []
    if result.failures:
        infected = sum(failure.diagnosis != result.classes.none_found for failure in result.failures)
        found.append(
            f"{plural(len(result.failures), 'case')} could not be screened. They count as wrong: {infected} with an "
            f"infection as missed, {len(result.failures) - infected} without one as not cleared. They stand in the "
            f"table of the cases under '{UNSCREENED}' and are in accuracy, sensitivity and specificity. Regions, "
            "patches, curves and calibration have none of them."
        )
    if result.left_out:
        found.append(f"{plural(len(result.left_out), 'case')} had unusable scans or labels and count for nothing.")
    return found


def _certainty(summary: Summary) -> list[str]:
    found = []
    if all(temperature == 1.0 for temperature in summary.temperatures.values()):
        found.append(
            "No temperature is stored with these weights. `pneumoscreen evaluate --studies DIR --calibrate` fits one "
            "on the validation patients."
        )
    found.append(
        "The Noisy-OR of a case takes its regions for independent witnesses. Many weak regions add up to a large "
        "probability: read it as a ranking unless the reliability diagram of the cases says otherwise."
    )
    return found

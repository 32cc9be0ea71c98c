"""What a reader of an evaluation on a site's own scans must keep in mind, as far as it can tell itself."""

from ...evaluation.cautions import FEW_OF_A_KIND, few_patients
from ...evaluation.figures import Share
from ...report.wording import plural
from .site_summary import HOW_REFUSED, SiteSummary

MISSED_BY_CHANCE = 0.05
"""Chance that is left for a truth below the bound."""


def site_cautions(summary: SiteSummary) -> list[str]:
    """Sentences, the weightiest first."""
    return [
        *_seen(summary),
        *_refused(summary),
        *_how_many(summary),
        *_nothing_wrong(summary),
        *_uncalibrated(summary),
        "Where the pneumonias come from another scanner, another protocol or another hospital than the other scans, a "
        "network can tell the source instead of the disease.",
        "Truth is what the table says. A lung is judged by whether it holds an infection region, not by whether the "
        "region lies where the disease is: look at the pictures.",
    ]


def _seen(summary: SiteSummary) -> list[str]:
    if not summary.conditions:
        return [
            "Every row counts. If the weights have learnt from one of these scans, or from another scan of its "
            "patient, the figures are too good; `--where COLUMN=VALUE` leaves such rows out of them."
        ]
    left = len(summary.not_counted)
    which = " and ".join(map(str, summary.conditions))
    shown = f" {plural(left, 'scan')} screened beside them enter no figure." if left > 1 else ""
    shown = shown or (" One scan screened beside them enters no figure." if left else "")
    return [f"Only rows with {which} count.{shown} Whether the weights have learnt from a counted one is not checked."]


def _refused(summary: SiteSummary) -> list[str]:
    refused = [outcome for outcome in summary.counted if outcome.reason is not None]
    if not refused:
        return []
    ill = sum(map(summary.is_pneumonia, refused))
    found = f"{plural(len(refused), 'scan')} could not be screened, {ill} of them pneumonia. {HOW_REFUSED}"
    others = len(refused) - ill
    if others:
        share = summary.figures.specificity
        found += f" Without them the specificity is {share.part - others} of {share.whole - others}."
    return [found]


def _how_many(summary: SiteSummary) -> list[str]:
    figures = summary.figures
    found = few_patients(figures.patients)
    kinds = {"pneumonia": figures.sensitivity.whole, "no pneumonia": figures.specificity.whole}
    few = ", ".join(f"{name} {count}" for name, count in kinds.items() if 0 < count < FEW_OF_A_KIND)
    none = ", ".join(name for name, count in kinds.items() if not count)
    if few:
        found.append(f"Few scans of a kind ({few}): one more or less moves its figure visibly.")
    if none:
        found.append(f"No counted scan of: {none}. Figures that need such scans are not defined.")
    if figures.patients < figures.scans:
        found.append(
            f"{figures.scans} scans are of {figures.patients} patients; the intervals draw patients, and a patient "
            "with many scans weighs more."
        )
    return found


def _nothing_wrong(summary: SiteSummary) -> list[str]:
    """Where there is no error the bootstrap sees none.

    Ours: the exact one-sided bound of n right ones of n; the rule of three of the larger evaluations (3 / n) holds from
    about 30 on.
    """
    ill = {outcome.case.patient for outcome in summary.counted if summary.is_pneumonia(outcome)}
    well = {outcome.case.patient for outcome in summary.counted if not summary.is_pneumonia(outcome)}
    figures = summary.figures
    shares: list[tuple[str, Share, int]] = [
        ("sensitivity", figures.sensitivity, len(ill)),
        ("specificity", figures.specificity, len(well)),
    ]
    perfect = [
        f"{name} {MISSED_BY_CHANCE ** (1.0 / patients):.2f}"
        for name, share, patients in shares
        if share.whole and share.part == share.whole
    ]
    if not perfect:
        return []
    return [
        "Where every verdict was right the bootstrap sees no errors, and its interval is a point. With so few patients "
        f"the true figures may still be as low as: {', '.join(perfect)} (exact bound, 95 %)."
    ]


def _uncalibrated(summary: SiteSummary) -> list[str]:
    if summary.figures.curves is not None:
        return []
    return [
        "The probability of infection is not calibrated with these weights, so it has no area under the curve. The "
        "Noisy-OR of the types is no stand-in: it is near 1 for nearly every scan with a region."
    ]

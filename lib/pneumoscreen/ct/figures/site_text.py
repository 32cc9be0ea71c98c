"""The figures of an evaluation on a site's own scans as plain text."""

from ...case import SIDES
from ...evaluation.figures import Share, interval
from .site_cautions import site_cautions
from .site_figures import LungRow, verdict_word
from .site_outcome import SiteOutcome
from .site_summary import SiteSummary


def site_to_text(summary: SiteSummary) -> str:
    """Every figure, then a line a scan, then what to be careful about."""
    models = ", ".join(f"{name} version {model.version}" for name, model in sorted(summary.models.items()))
    parts = [
        f"{summary.sentence()}; {models or 'unpublished networks'}; intervals: 95 %, bootstrap over patients",
        "\n".join(_cases(summary)),
        "\n".join(_lungs(summary)),
        "\n".join(_regions(summary)),
        "\n".join(["Scans", *(_line(outcome) for outcome in summary.outcomes)]),
        "\n".join(["Be careful", *(f"- {sentence}" for sentence in site_cautions(summary))]),
    ]
    return "\n\n".join(parts) + "\n"


def share_text(share: Share) -> str:
    """``10 of 11, 0.909 [0.700, 1.000]``; a dash where there is nothing to share."""
    return f"{share.part} of {share.whole}, {interval(share.interval)}" if share.whole else "- (no such scan)"


def _cases(summary: SiteSummary) -> list[str]:
    figures = summary.figures
    curves = figures.curves
    auc = "not calibrated" if curves is None else interval(curves.auc)
    lines = [
        f"sensitivity (pneumonia that is flagged): {share_text(figures.sensitivity)}",
        f"specificity (others that are not): {share_text(figures.specificity)}",
        f"AUC of the probability of infection: {auc}",
        f"type of infection right: {share_text(figures.types)}; undecided {figures.undecided}; of the decided ones "
        f"{share_text(figures.decided_types)}",
    ]
    for label, found in figures.taken_for.items():
        lines.append(f"{label} taken for: " + ", ".join(f"{name} {count}" for name, count in found.items()))
    return lines


def _lungs(summary: SiteSummary) -> list[str]:
    figures = summary.figures
    return [
        f"infected lungs with a region: {share_text(figures.lung_sensitivity)}",
        f"clear lungs without one: {share_text(figures.lung_specificity)}",
        *(_lung_row(row) for row in figures.lungs),
    ]


def _lung_row(row: LungRow) -> str:
    affected = f", affected {row.affected['mean']:.1f} % on average" if row.affected else ""
    return f"lungs {row.state}: {row.lungs}, with a region {row.flagged}, regions {row.regions}{affected}"


def _regions(summary: SiteSummary) -> list[str]:
    figures = summary.figures
    lines = [
        f"infection regions a pneumonia scan: {interval(figures.regions.interval)}; all regions "
        f"{interval(figures.candidates.interval)}",
        f"false regions in clear lungs: {figures.false_regions.part} in all, a scan with a clear lung "
        f"{interval(figures.false_regions.interval)}",
        f"infection regions that overlap by more than half of the smaller: {figures.overlaps} pairs in "
        f"{figures.overlapping} scans; among all regions {figures.candidate_overlaps} pairs",
    ]
    if figures.seconds:
        lines.append(f"seconds a scan: median {figures.seconds['median']:.1f}, at most {figures.seconds['max']:.1f}")
    return lines


def _line(outcome: SiteOutcome) -> str:
    row = outcome.case
    start = f"{'' if row.counted else '(not counted) '}{row.path}: {row.label} taken for {verdict_word(outcome)}"
    if outcome.reason is not None:
        return f"{start}: {outcome.reason}"
    infection = "" if outcome.infection is None else f", infection {outcome.infection:.3f}"
    sides = ", ".join(
        f"{side} ({row.lungs.get(side, 'not known')}) {outcome.regions[side]}"
        + (f" / {outcome.affected[side]:.1f} %" if side in outcome.affected else "")
        for side in SIDES
    )
    return f"{start}{infection}; regions / affected: {sides}; false {outcome.false_regions}"

"""The verdict card in words: one statement that never contradicts itself, and what would decide an open question.

Ours. The heading says first whether there is an infection at all, then of which type; every figure on the card belongs
to one of these two. The paper's own figures (Noisy-OR, rule, confidence) stand below, named as such.
"""

from typing import Dict, List, Optional, Sequence, Tuple

from ..contract import DEFAULT_CLASSES, RULE_NONE, SIDES, Case, Classes, Region, Verdict, counts, decide, opinions
from ..reading.progress import is_open
from ..translation import _
from ..wording import display_name, percent, side_name

DOUBTFUL = 0.5
"""Probability of an infection below which one that was found is called doubtful, and from which none is not."""


def heading(verdict: Verdict) -> str:
    """What the card says in large letters."""
    found = verdict.infection
    likely = "" if found is None else f" ({percent(found.probability)})"
    if verdict.rule == RULE_NONE:
        is_doubtful = found is not None and found.probability >= DOUBTFUL
        return (
            _("No region counts, infection possible{likely}").format(likely=likely)
            if is_doubtful
            else _("No infection found")
        )
    is_doubtful = found is not None and found.probability < DOUBTFUL
    infection = _("Infection {found}{likely}").format(found=_("doubtful") if is_doubtful else _("found"), likely=likely)
    return (
        f"{infection}: {display_name(verdict.label)}"
        if verdict.decided
        else _("{infection}, type undecided").format(infection=infection)
    )


def type_in_words(verdict: Verdict) -> str:
    """The confidence that the rule exports for the type, or why none is named; empty where there is no infection."""
    if verdict.rule == RULE_NONE:
        return ""
    if not verdict.decided:
        return _("Each of the types is likely by its own regions (Noisy-OR), so none is named.")
    return _("Confidence in the type {confidence}").format(confidence=percent(verdict.confidence[verdict.label]))


def what_would_decide(case: Case, numbers: Dict[str, int], classes: Classes = DEFAULT_CLASSES) -> str:
    """Which regions an undecided type hangs on; empty where it is decided.

    Args:
        case: as it stands.
        numbers: of its regions in the table, by id.
        classes: of the site.
    """
    verdict = case.verdict
    if verdict is None or verdict.decided:
        return ""
    found = [(label, _in_the_way(case.regions, label, classes)) for label in verdict.confidence]
    # A region that a reader has spoken on is not to be looked at once more.
    label, regions = min(found, key=lambda each: (not all(map(is_open, each[1])), len(each[1])))
    named = _listed([f"{numbers[region.id]} ({_type_of(region)})" for region in regions])
    if not all(map(is_open, regions)):
        text = (
            _("It hangs on what has been read: without region {named} the type is {label}.")
            if len(regions) == 1
            else _("It hangs on what has been read: without regions {named} the type is {label}.")
        )
    elif len(regions) == 1:
        text = _("What would decide it: look at region {named}. Without it the type is {label}.")
    else:
        text = _("What would decide it: look at regions {named}. Without them the type is {label}.")
    return text.format(named=named, label=display_name(label))


def affected_in_words(case: Case, classes: Classes = DEFAULT_CLASSES) -> str:
    """How much of each lung is affected as the case stands; empty where the server did not say. Sides: the patient's.

    A box that the server has not measured yet adds nothing, which is said.
    """
    parts = [
        _("{side} lung {share:.1f} %").format(side=side_name(side), share=case.lungs[side].affected_percent)
        for side in reversed(SIDES)
        if side in case.lungs
    ]
    if not parts:
        return ""
    counting = [region for region in case.regions if counts(region, classes)]
    unmeasured = sum(region.infected_ml is None for region in counting)
    is_partly_measured = unmeasured > 0 and any(region.infected_ml is not None for region in case.regions)
    boxes = _("1 box") if unmeasured == 1 else _("{unmeasured} boxes").format(unmeasured=unmeasured)
    return _("Affected: {lungs}").format(lungs=", ".join(parts)) + (
        _(" (without {boxes} not measured yet)").format(boxes=boxes) if is_partly_measured else ""
    )


def _in_the_way(regions: Sequence[Region], label: str, classes: Classes) -> List[Region]:
    """The fewest regions of other types, the surest first, without which a type is decided."""
    kept = list(regions)
    others = [region for region in regions if _counts_otherwise(region, label, classes)]
    taken: List[Region] = []
    for region in sorted(others, key=lambda each: -_sureness(each)):
        verdict = decide(opinions(kept), classes)
        if verdict.decided and verdict.label == label:
            break
        kept.remove(region)
        taken.append(region)
    return taken


def _counts_otherwise(region: Region, label: str, classes: Classes) -> bool:
    opinion: Optional[Tuple[str, float]] = region.opinion
    return opinion is not None and opinion[0] in classes.infections and opinion[0] != label


def _sureness(region: Region) -> float:
    return region.opinion[1] if region.opinion else 0.0


def _type_of(region: Region) -> str:
    return display_name(region.opinion[0]) if region.opinion else ""


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else _("{names} and {last}").format(names=", ".join(names[:-1]), last=names[-1])

"""How the report says things: names, colours and sentences for a reader who has not read the paper."""

import math
from dataclasses import dataclass

from .. import RESEARCH_USE_ONLY
from ..case import CXR_HEALTHY, Case, Patch, Region
from ..evidence import is_overruled
from ..verdict import RULE_NONE, RULE_SINGLE, Classes, Verdict

DISPLAY_NAMES = {
    "covid19": "COVID-19",
    "influenza_a": "Influenza A",
    "irrelevant": "Irrelevant",
    "no_infection_found": "No infection found",
    "healthy": "healthy",
    "cap": "community-acquired pneumonia",
}

LOCATION_NAMES = {"left": "left lung", "right": "right lung", "bipulmonary": "both lungs", "none": "no side"}

UNDECIDED = "Infection found, type undecided"
OPACITY_UNDECIDED = "Opacity found, type undecided"
NO_OPACITY = "No opacity found"
"""What a verdict is called whose types cannot be told apart."""

CXR_KEYS = {"covid19": "type-0", "healthy": "none", "cap": "type-1"}
"""Ours: the style class of each class of an X-ray, which no site's class list moves; the extension's colours too."""

PALETTE = (("#c2410c", "#ff9a5c"), ("#1d5fa8", "#6cb8f5"), ("#7b3fa0", "#d19be8"), ("#96700a", "#f0d04c"))
"""Ours: (on white, on dark) of each infection type in the order of the class list. Orange against blue differs in
lightness too and is told apart with every common colour blindness."""

IRRELEVANT_COLOUR = ("#5f6b7a", "#b4bfcb")
NONE_FOUND_COLOUR = ("#0f766e", "#5eccbf")

STAGE_NAMES = {
    "read": "Reading",
    "lungs": "Lungs",
    "candidates": "Candidate regions",
    "patches": "Patches",
    "classify": "Classification",
    "lung_boxes": "Lung boxes",
    "superpixels": "Superpixels",
    "discrimination": "Class",
    "localization": "Affected side",
    "gradcam": "Grad-CAM",
    "report": "Report",
    "total": "Whole screening",
}

MODEL_NAMES = {
    "ct_candidates": "Candidate network",
    "ct_classifier": "Patch classifier",
    "cxr_lung_boxes": "Lung-box network",
    "cxr_discrimination": "Class network",
    "cxr_localization": "Side network",
}


def display_name(label: str) -> str:
    """A class or stage name as a reader knows it; a site's own class shows as it is, without underscores."""
    return DISPLAY_NAMES.get(label) or label.replace("_", " ").capitalize()


def capital(text: str) -> str:
    """The text as it stands at the head of a line."""
    return text[:1].upper() + text[1:]


def verdict_name(verdict: Verdict) -> str:
    """What a verdict is called: its label, unless the type is undecided."""
    return display_name(verdict.label) if verdict.decided else UNDECIDED


def film_verdict_name(verdict: Verdict) -> str:
    """What the verdict of an X-ray is called.

    Where each lung was asked for an opacity, that is what is said: a film without one may still be of a sick person.
    """
    if verdict.infection is None:
        return verdict_name(verdict)
    if verdict.label == CXR_HEALTHY:
        return NO_OPACITY
    return display_name(verdict.label) if verdict.decided else OPACITY_UNDECIDED


def case_verdict_name(case: Case) -> str:
    """What the verdict of a case is called, of either modality."""
    if case.verdict is None:
        return "No verdict"
    return film_verdict_name(case.verdict) if case.modality == "CXR" else verdict_name(case.verdict)


def opacity_in_words(verdict: Verdict) -> str:
    """How likely it is that a lung has an opacity, and how that is known; empty without a calibration."""
    found = verdict.infection
    if found is None:
        return ""
    return (
        f"Probability of an opacity in a lung, whatever its cause: {percent(found.probability)}, calibrated on "
        f"{found.calibrated_on}, with and without opacity weighing the same."
    )


def infection_in_words(verdict: Verdict) -> str:
    """How likely it is that there is an infection at all, and how that is known; empty without a calibration."""
    found = verdict.infection
    if found is None:
        return ""
    return (
        f"Probability of an infection of any type: {percent(found.probability)}, calibrated on {found.calibrated_on}."
    )


def overruled_in_words(region: Region, classes: Classes) -> str:
    """Why a region does not count although its patches vote for an infection; empty where that is not so."""
    voted = region.patch_vote
    if voted is None or not is_overruled(region, classes):
        return ""
    infected = "infected volume not known" if region.infected_ml is None else f"{region.infected_ml:.1f} ml infected"
    return (
        f"The patches vote {display_name(voted[0])} ({percent(voted[1])}), not borne out: {infected}, "
        f"candidate score {region.score:.2f}."
    )


def key_of_place(place: int) -> str:
    """The style class of a label by its place in the list of labels."""
    return f"type-{place % len(PALETTE)}"


def label_key(label: str | None, classes: Classes) -> str:
    """The style class of a label: ``type-<position>``, ``irrelevant``, ``none`` or ``unknown``."""
    if label in classes.infections:
        return key_of_place(classes.infections.index(label))
    return {classes.irrelevant: "irrelevant", classes.none_found: "none"}.get(label or "", "unknown")


def percent(value: float, digits: int = 0) -> str:
    """A share in [0, 1] as a percentage that never rounds up to a certainty or down to nothing."""
    finest = 10.0 ** -(digits + 2)
    if 0.0 < value < finest / 2:
        return f"<\u202f{100 * finest:.{digits}f}\u202f%"
    if 1.0 - finest / 2 < value < 1.0:
        return f">\u202f{100 * (1.0 - finest):.{digits}f}\u202f%"
    return f"{100 * value:.{digits}f}\u202f%"


def models_in_words(case: Case) -> list[str]:
    """The networks behind a document, a line each."""
    return [
        f"{name} version {model.version}, SHA-256 {model.sha256[:12]}" for name, model in sorted(case.models.items())
    ]


def in_sentences(case: Case, classes: Classes) -> list[str]:
    """A whole case in plain words: that it is for research only, the verdict, how it is meant, and the networks."""
    return [*conclusion(case, classes), *map(plain, filter(None, [*case.notes, *models_in_words(case)]))]


def conclusion(case: Case, classes: Classes) -> list[str]:
    """A case in a few plain words: that it is for research only, the verdict, and how it is meant."""
    said = [RESEARCH_USE_ONLY, f"{capital(case_verdict_name(case))}."]
    if case.modality == "CT":
        said.append(headline(case, classes))
    if case.verdict is not None:
        said.append((opacity_in_words if case.modality == "CXR" else infection_in_words)(case.verdict))
    return [plain(text) for text in said if text]


def plain(text: str) -> str:
    """A text for what knows no narrow space: DICOM viewers, fonts of a PDF."""
    return text.replace("\u202f", " ")


@dataclass(frozen=True)
class RuleInWords:
    """The rule that exported the confidence: its name, and what it did with this case's numbers."""

    name: str
    sentence: str


def rule_in_words(verdict: Verdict) -> RuleInWords:
    """Explain the exported confidence of a verdict (paper, section 2.6.2)."""
    if verdict.rule == RULE_NONE:
        return RuleInWords(
            "nothing to weigh",
            "No region was taken for an infection, so every probability is 0 and no confidence is given.",
        )
    winner = display_name(verdict.label)
    if verdict.rule == RULE_SINGLE:
        return RuleInWords(
            "single type",
            f"Only {winner} was found, so its probability is given as it is.",
        )
    present = [value for value in verdict.probability.values() if value > 0.0]
    highest = math.e / (math.e + len(present) - 1)
    return RuleInWords(
        "softmax over types",
        f"Regions of {len(present)} types were found; the type with the largest probability wins, and the confidence "
        f"is the softmax over the probabilities. By its formula it cannot exceed {percent(highest)} here: "
        "read it as a balance between the types, not as a probability.",
    )


def headline(case: Case, classes: Classes) -> str:
    """One sentence under the verdict: how many regions stand behind it."""
    verdict = case.verdict
    opinions = [region.opinion for region in case.regions]
    infected = [opinion for opinion in opinions if opinion and opinion[0] != classes.irrelevant]
    looked_at = plural(len(case.regions), "candidate region")
    if not case.regions:
        return "No candidate region was found in the lungs."
    if verdict is None or not infected:
        return f"{looked_at} looked at; none was taken for an infection."
    counts = [(name, sum(opinion[0] == name for opinion in infected)) for name in classes.infections]
    found = ", ".join(f"{count} as {display_name(name)}" for name, count in counts if count)
    return f"{looked_at} looked at; labelled {found}."


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 region``, ``2 regions``; ``many`` for nouns that do not take a plain s."""
    return f"{count} {one}" if count == 1 else f"{count} {many or one + 's'}"


def votes_in_words(region: Region) -> str:
    """How the patches of a region voted, such as ``2 of 3 patches``."""
    if not region.patches:
        return "no patches"
    voted = region.patch_vote
    agreeing = sum(voted is not None and patch.label == voted[0] for patch in region.patches)
    return f"{agreeing} of {plural(len(region.patches), 'patch', 'patches')}"


def speaks_for(region: Region, patch: Patch) -> bool:
    """Whether this patch gave the vote its label and confidence."""
    best = next((p for p in region.patches if (p.label, p.confidence) == region.patch_vote), None)
    return patch is best


def summary_line(case: Case) -> str:
    """``<case_id> <verdict> <confidence> <seconds>`` of a screened case.

    The confidence is the exported one of the winning type, 0.00 where a CT held no infection; that of an X-ray is
    the probability of its class, healthy too. The seconds are the whole screening. What is not known is printed as
    ``-``.
    """
    verdict = "-" if case.verdict is None else case.verdict.label
    confidence = "-" if case.verdict is None else f"{case.verdict.exported:.2f}"
    seconds = f"{case.timings_s['total']:.1f}" if "total" in case.timings_s else "-"
    return f"{case.case_id} {verdict} {confidence} {seconds}"

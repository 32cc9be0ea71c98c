"""A chest X-ray in words: what it is taken for, by the model and by the reader, and how much of the lungs is opaque."""

from typing import Any, Mapping

from ..contract import CXR_HEALTHY, MOST_A_ZONE, SEEN, Case, Cxr, Verdict
from ..translation import _
from ..wording import by_side, display_name, infection_in_words, location_name, percent, short_name


def film_verdict_in_words(case: Case) -> str:
    """What an X-ray is taken for, with how probable that is.

    Where each lung was asked for an opacity, that is what is said, with the type only where it is decided.
    """
    verdict = case.verdict
    infection = None if verdict is None else verdict.infection
    if verdict is None or infection is None:
        shares = {} if case.cxr is None else case.cxr.probabilities
        best = max(shares, key=lambda name: shares[name]) if shares else ""
        if not best:
            return "" if verdict is None else display_name(verdict.label)
        return f"{display_name(best)}  {percent(shares[best])}"
    return _("{finding}  (opacity {probability})").format(
        finding=film_finding(verdict), probability=percent(infection.probability)
    )


def film_reading_in_words(findings: Cxr) -> str:
    """What the reader says of an X-ray, class and side; empty where no reader has spoken."""
    said: Mapping[str, Any] = findings.reader or {}
    if not said.get("label"):
        return ""
    label, location = short_name(str(said["label"])), str(said.get("location") or "none")
    if location == "none":
        return _("{finding} (reader)").format(finding=label)
    return _("{finding}, {location} (reader)").format(finding=label, location=location_name(location).lower())


def film_finding(verdict: Verdict) -> str:
    """What was found on an X-ray whose lungs were each asked for an opacity."""
    if verdict.label == CXR_HEALTHY:
        return _("No opacity found")
    return display_name(verdict.label) if verdict.decided else _("Opacity found, type undecided")


def extent_in_words(findings: Cxr) -> str:
    """How much of both lungs of a radiograph is opaque; empty where it was not measured."""
    zones, opaque = findings.severity, findings.opacity
    if not zones or not opaque:
        return ""
    return _("Extent: {score}; opaque: {shares}").format(score=extent_score(zones), shares=by_side(opaque))


def extent_score(zones: Mapping[str, float]) -> str:
    """The sum of the zones' scores, of how many."""
    score, most = f"{sum(zones.values()):g}", f"{MOST_A_ZONE * len(zones)}"
    return _("{score} of {most}").format(score=score, most=most)


def film_cautions(case: Case) -> str:
    """On what the probability was calibrated and what the weights have seen; empty where neither is told."""
    calibrated = "" if case.verdict is None else infection_in_words(case.verdict)
    return "\n".join([*filter(None, [calibrated]), *(note for note in case.notes if note.startswith(SEEN))])

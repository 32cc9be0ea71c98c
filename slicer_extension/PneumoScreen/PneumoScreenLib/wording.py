"""What stands on the panel in words: labels, the verdict and its rule, votes, lungs, durations, the server."""

from typing import Any, Mapping, Optional

from .contract import (
    DEFAULT_CLASSES,
    RULE_NONE,
    RULE_SINGLE,
    Classes,
    Region,
    Verdict,
    is_overruled,
)
from .translation import _

_NAMES = {
    "covid19": "COVID-19",
    "influenza_a": "Influenza-A",
    "irrelevant": _("Irrelevant"),
    "no_infection_found": _("No infection found"),
    "healthy": _("Healthy"),
    "cap": _("Community-acquired pneumonia"),
    "ct_candidates": _("Candidate network"),
    "cxr_lung_boxes": _("X-ray lung boxes"),
    "cxr_discrimination": _("X-ray class"),
    "cxr_localization": _("X-ray side"),
    "ct_classifier": _("Patch classifier"),
    # By what the next case is chosen.
    "combined": _("Combined"),
    "uncertainty": _("Uncertainty"),
    "epistemic": _("Epistemic"),
    "diverse": _("Diverse"),
    "random": _("Random"),
    "first": _("First"),
}
SHORT = {"no_infection_found": _("No infection"), "cap": "CAP"}
"""Verdicts whose names are too long for a cell."""
_STATES = {
    "open": _("open"),
    "accepted": _("accepted"),
    "corrected": _("corrected"),
    "added": _("added"),
    "moved": _("moved"),
}
STATES_OF_REGIONS = tuple(_STATES.values())
_SIDES = {"left": _("left"), "right": _("right")}
_ROLES = {"reader": _("reader"), "trainer": _("trainer"), "administrator": _("administrator")}
_STAGES = {
    "read": _("Reading the scan"),
    "lungs": _("Finding the lungs"),
    "candidates": _("Finding candidate regions"),
    "classify": _("Classifying regions"),
    "report": _("Writing the report"),
}


def display_name(label: str) -> str:
    """A label, task or class for the reader; a site's own label with its first letter large."""
    text = label.replace("_", " ")
    return _NAMES.get(label, f"{text[:1].upper()}{text[1:]}")


def short_name(label: str) -> str:
    """A verdict for a cell or a button, where its name would be too long."""
    return SHORT.get(label, display_name(label))


def side_name(side: str) -> str:
    """The patient's side of a lung."""
    return _SIDES.get(side, side)


def role_name(role: str) -> str:
    """What somebody may do on the server."""
    return _ROLES.get(role, role)


def location_name(location: str) -> str:
    """Where a radiograph is affected; the patient's side."""
    names = {"left": _("Left"), "right": _("Right"), "bipulmonary": _("Both"), "none": _("Neither")}
    return names.get(location, display_name(location))


def by_side(values: Mapping[str, float]) -> str:
    """Shares or probabilities of the patient's lungs."""
    return ", ".join(f"{side_name(side)} {percent(value)}" for side, value in sorted(values.items()))


def percent(value: float) -> str:
    """A probability in whole percent; never 0 % or 100 % for what is neither."""
    if value <= 0.0 or value >= 1.0:
        return f"{100 * min(max(value, 0.0), 1.0):.0f} %"
    if value < 0.01:
        return "< 1 %"
    return "> 99 %" if value > 0.99 else f"{100 * value:.0f} %"


TYPE_UNDECIDED = _("Type undecided")
"""What a verdict is called in a cell of a table whose types cannot be told apart."""


def infection_in_words(verdict: Verdict) -> str:
    """How likely an infection of any type is, and on what that was calibrated; empty where it is not known."""
    found = verdict.infection
    return (
        ""
        if found is None
        else _("Infection {probability}, calibrated on {calibrated_on}").format(
            probability=percent(found.probability), calibrated_on=found.calibrated_on
        )
    )


def overruled_in_words(region: Region, classes: Classes = DEFAULT_CLASSES) -> str:
    """Why a region does not count although its patches vote for an infection; empty where that is not so."""
    voted = region.patch_vote
    if voted is None or not is_overruled(region, classes):
        return ""
    infected = (
        ""
        if region.infected_ml is None
        else _(": {infected_ml:.1f} ml infected").format(infected_ml=region.infected_ml)
    )
    return _("The patches vote {label} ({confidence}), not borne out{infected}.").format(
        label=display_name(voted[0]), confidence=percent(voted[1]), infected=infected
    )


def rule_in_words(verdict: Verdict) -> str:
    """Which rule exported the confidence, and why."""
    if verdict.rule == RULE_NONE:
        return _("No region counts as an infection, so no confidence is given.")
    if verdict.rule == RULE_SINGLE:
        return _("All regions that count are {label}, so its Noisy-OR probability is the confidence.").format(
            label=display_name(verdict.label)
        )
    others = [name for name in verdict.confidence if name != verdict.label]
    names = _(" and ").join(display_name(name) for name in others)
    return (
        _(
            "There are also regions of {names}, so the confidence weighs the Noisy-OR "
            "probabilities of both types (softmax)."
        ).format(names=names)
        if len(others) == 1
        else _(
            "There are also regions of {names}, so the confidence weighs the Noisy-OR probabilities (softmax)."
        ).format(names=names)
    )


def votes_in_words(region: Region) -> str:
    """How many of a region's patches stand behind its vote, such as ``2 of 3``; a dash where there was no vote."""
    if not region.patches:
        return "–"
    voted = region.patch_vote
    agreeing = sum(voted is not None and patch.label == voted[0] for patch in region.patches)
    return _("{agreeing} of {count}").format(agreeing=agreeing, count=len(region.patches))


def state_of_region(state: str) -> str:
    """What the reader did to a region, as ``Reading.state`` says it."""
    return _STATES.get(state, state)


def duration(seconds: Optional[float]) -> str:
    """A duration, roughly: ``40 s``, ``3 min``, ``2 h 10 min``; empty where it is not known."""
    if seconds is None or not 0.0 <= seconds < float("inf"):
        return ""
    if seconds < 59.5:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60.0)
    if minutes < 60:
        return _("{minutes} min").format(minutes=minutes)
    hours, minutes = divmod(minutes, 60)
    return _("{hours} h {minutes} min").format(hours=hours, minutes=minutes) if minutes else f"{hours} h"


def time_left(seconds: Optional[float]) -> str:
    """``about 3 min left``; empty where nothing is known of it."""
    text = duration(seconds)
    return _("about {time} left").format(time=text) if text else ""


def stage_in_words(job: Mapping[str, Any]) -> str:
    """What the server does with an inference, as its board shows it."""
    if job.get("state") == "queued":
        before = int(job.get("position") or 1) - 1
        return (
            _("Waiting for {before} others on the server").format(before=before)
            if before > 1
            else _("Waiting for 1 other on the server")
            if before
            else _("Waiting for its turn")
        )
    stage = str(job.get("stage") or "")
    return _STAGES.get(stage) or display_name(stage) or _("Starting")


def server_in_words(server: Mapping[str, Any]) -> str:
    """The answer to "Test connection", from ``Server.describe``."""
    models = [
        f"{display_name(name)} v{version}"
        if version is not None
        else _("{model} (none)").format(model=display_name(name))
        for name, version in sorted(dict(server.get("models") or {}).items())
    ]
    role = ", ".join(map(role_name, server.get("roles") or ()))
    user = _("signed in as {user}").format(user=server["user"]) if server.get("is_known") else _("no sign-in needed")
    lines = [
        _("Connected: {app} {version}").format(app=server.get("app"), version=server.get("version")),
        _("Models: {models}").format(models=", ".join(models) if models else _("none")),
        f"{user[:1].upper()}{user[1:]}{f' ({role})' if role else ''}",
    ]
    return "\n".join(lines)

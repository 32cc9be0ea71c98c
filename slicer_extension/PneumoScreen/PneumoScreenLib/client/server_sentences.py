"""What the server itself says: it gives no codes, so a sentence is known by its own words.

Each stands here as the server's code has it, its values as ``{names}``; a test looks for it there. What fits none is
shown as it came, in English: the reasons of a training's gate, refusals that no reader meets in the panel, and those of
rare files.
"""

import re
from functools import lru_cache
from typing import Dict, Optional, Tuple

from ..translation import _

SERVER: Dict[str, str] = {
    # Who may do what.
    "needs_role": _("this needs the role {needed}; {reader} speaks as {role}"),
    "needs_token": _("this server needs a token: send the header Authorization: Bearer TOKEN"),
    "unknown_token": _("this token is not known here; ask the administrator for one"),
    "no_token_file": _("this server's token file cannot be used; its log says why"),
    "no_realm": _("the realm that signs tokens cannot be asked; this server's log says why"),
    "local_only": _("this server has no tokens, so it answers by the names localhost and 127.0.0.1 only"),
    # Cases and readings.
    "held": _("case {case} is with {reader} until {until}; ask for another one, or let a trainer release it"),
    "held_by": _("case {case} is with {reader}; only a trainer may take it away"),
    "no_case": _("there is no case {case}; GET /datastore/ lists what is there"),
    "no_image": _("image {case} is not in the studies folder"),
    "no_version": _("case {case} has no version {version}"),
    "blind": _("version {version} of this case is another reader's; submit your own reading first, then it is shown"),
    "conflict": _(
        "{reader} submitted version {version} of case {case} at {time}, after version {base} that this document was "
        "made from; look at it and submit again with base={again}"
    ),
    "too_many_regions": _("field regions has {count} entries, and at most {most} are kept"),
    "no_audit": _("the audit log cannot be written ({reason}); mend the studies folder"),
    "too_large": _("the request brings more than {size} MB; send less, or raise {variable}"),
    # Files that are sent or screened.
    "other_format": _("there is an image {case} of another format; remove it first, or rename this"),
    "being_copied": _("image {case} is being copied into the studies folder; try again in ten seconds"),
    "unreadable_there": _("{file} cannot be read; check that it is there and may be opened"),
    "reading_failed": _("{file} cannot be read: the reading failed, and the server's log says how"),
    "no_lungs": _("{file}: no lungs in view ({reason}); give a CT of the chest"),
    "no_two_lungs": _("{file} shows no two lungs side by side; give a frontal chest X-ray"),
    "few_axial": _("{file} has {count} axial slices, and fewer than {least} cannot be screened; give the whole chest"),
    "few_slices": _("{file} has {count} slices, and fewer than {least} cannot be screened; give the whole chest"),
    "gaps": _(
        "{file} lacks slices or spaces them unevenly: {gap} mm after slice {slice} where {usual} mm are usual; export "
        "the complete series"
    ),
    "no_ct": _("{file} is {kind} and not a CT; give a chest CT"),
    "label_map": _("{file} holds only {count} different values, so it is a label map; give the CT itself"),
    "no_hounsfield": _(
        "{file} holds values from {low} to {high}, which are no Hounsfield units (air would be near -1000); give the "
        "CT in Hounsfield units"
    ),
    "not_axial": _(
        "{file} is turned by {angle} degrees against the patient's axes, and more than {most} cannot be screened; "
        "give an axial reconstruction"
    ),
    "no_frontal": _("{file} is no frontal view by its header; give the PA or AP chest X-ray"),
    # Inferences and trainings.
    "jobs_full": _("{count} inferences wait already, which is all that may; try again later"),
    "jobs_of_reader": _("{count} inferences of {reader} wait already; try again when one ended"),
    "screening_failed": _("the screening failed; the log has the reason"),
    "server_failed": _("the server failed at this request; its log has the reason under {number}"),
    "no_training_here": _("there is no training here: the studies are not a folder of this server"),
    "training_waits": _("cancelled; the same request resumes it"),
    "training_not_begun": _("cancelled before it began"),
    "training_interrupted": _("interrupted with its server; the same request resumes it"),
    "training_ended": _("the training process ended with status {status}; the server's log has the reason"),
    "training_starts": _("the training process starts"),
    "no_version_before": _(
        "{model} version {version} is in use and no whole version came before it; name the version to put into use "
        "(there: {known})"
    ),
    # What was mended in a document on its submission.
    "mended_confidence": _("The confidence of the verdict was computed anew from the regions that count."),
    "mended_state": _("Region {region} is {now}, not {before}, by its reader's entry."),
    "mended_share": _("The affected share of the {side} lung is {now} %, not {before} %, by the regions that count."),
    "unmeasured": _("Region {region} adds nothing to the affected share yet: its infected volume is not known."),
    "mended_verdict": _("The verdict is {now}, not {before}, by the regions that count."),
    "mended_probability": _("The probability of an infection is {now}, not {before}."),
}


def pattern_of(sentence: str) -> "re.Pattern[str]":
    """What fits a sentence of ``SERVER`` in English, each value in a group of its name."""
    parts = re.split(r"\{(\w+)\}", sentence.rstrip("."))
    texts = [re.escape(text) for text in parts[::2]]
    groups = [f"(?P<{name}>.+?)" for name in parts[1::2]]
    return re.compile("".join(text + group for text, group in zip(texts, [*groups, ""])) + r"\.?")


@lru_cache(maxsize=None)
def _patterns() -> "Dict[str, re.Pattern[str]]":
    # Asked for in the child process alone, where ``SERVER`` is in English.
    return {name: pattern_of(sentence) for name, sentence in SERVER.items()}


def known(told: str) -> Optional[Tuple[str, Dict[str, str]]]:
    """The name and the values of a sentence that a server said; None where it is none of ``SERVER``."""
    for name, pattern in _patterns().items():
        found = pattern.fullmatch(told)
        if found is not None:
            return name, found.groupdict()
    return None

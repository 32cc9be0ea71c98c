"""The verdict rules of the CT method: vote, Noisy-OR and exported confidence.

Xu et al. 2020, section 2.6. Standard library only and Python 3.9 syntax: the same file runs in the
server, on the command line and inside 3D Slicer, so that a reader's correction moves the verdict by
exactly the rule that produced it.
"""

import math
from dataclasses import dataclass, field
from typing import Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

RULE_NONE = "none"
RULE_SINGLE = "single"
RULE_SOFTMAX = "softmax"
RULES = (RULE_NONE, RULE_SINGLE, RULE_SOFTMAX)

DECIDED_MARGIN = math.log(10.0)
"""How far apart the logarithms of 1 - P of the two likeliest types must lie for the type to count as decided.

Ours: 1 - P, the chance that no region is of a type, must be ten times smaller for the one than for the other; with
three times, another kernel turned the type of a real scan round. In the logarithm two types still differ whose P both
round to 1.
"""

LabelledConfidence = Tuple[str, float]


@dataclass(frozen=True)
class Classes:
    """The class list of a site: data, not code.

    Attributes:
        infections: the infection types, in the order in which they are reported.
        irrelevant: the label of a patch or region without infection.
        none_found: the label of a case in which no region holds an infection.
    """

    infections: Tuple[str, ...] = ("covid19", "influenza_a")
    irrelevant: str = "irrelevant"
    none_found: str = "no_infection_found"

    def __post_init__(self) -> None:
        names = (*self.infections, self.irrelevant, self.none_found)
        if not self.infections or len(set(names)) != len(names) or not all(names):
            raise ValueError(f"classes must be distinct, non-empty names, got {names}")

    @property
    def patch_labels(self) -> Tuple[str, ...]:
        """Labels of a patch or region: the infections, then irrelevant."""
        return (*self.infections, self.irrelevant)

    @property
    def case_labels(self) -> Tuple[str, ...]:
        """Labels of a case: the infections, then none found."""
        return (*self.infections, self.none_found)


DEFAULT_CLASSES = Classes()


@dataclass(frozen=True)
class Infection:
    """That an image shows an infection at all, of whatever type (ours; ``evidence.py``).

    Attributes:
        probability: in [0, 1].
        calibrated_on: on what the probability was calibrated, in words.
        intercept: of the calibration, so that a correction can be followed anywhere; None where it is not told.
        slope: likewise.
    """

    probability: float
    calibrated_on: str
    intercept: Optional[float] = None
    slope: Optional[float] = None


@dataclass(frozen=True)
class Verdict:
    """What a case is taken for.

    Attributes:
        label: a class of the case list.
        rule: which of the three rules of section 2.6.2 exported the confidence.
        probability: Noisy-OR P of every infection type, in [0, 1].
        confidence: the exported confidence, only for the types that the rule exports.
        decided: false where there is an infection whose type cannot be told (ours).
        infection: that there is an infection at all (ours); None without a calibration.
    """

    label: str
    rule: str
    probability: Dict[str, float] = field(default_factory=dict)
    confidence: Dict[str, float] = field(default_factory=dict)
    decided: bool = True
    infection: Optional[Infection] = None

    @property
    def exported(self) -> float:
        """Confidence of the winning type; 0 where no infection was found."""
        return self.confidence.get(self.label, 0.0)


def _require_probability(value: float) -> float:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"a confidence must lie in [0, 1], got {value}")
    return value


def vote(patches: Sequence[LabelledConfidence]) -> LabelledConfidence:
    """The label and confidence of a region from those of its patches (section 2.6.1).

    Where at least two patches agree, the most confident patch of that type speaks for the region;
    otherwise the most confident patch of all. Ours: a region at the end of a volume may have fewer
    than three patches; equal confidences go to the patch named first.

    Args:
        patches: (label, confidence) of each patch, from the first slice to the last.

    Raises:
        ValueError: if there is no patch or a confidence lies outside [0, 1].
    """
    if not patches:
        raise ValueError("a region needs at least one patch to vote")
    counts: Dict[str, int] = {}
    for label, confidence in patches:
        _require_probability(confidence)
        counts[label] = counts.get(label, 0) + 1
    most = max(counts.values())
    voters = [p for p in patches if counts[p[0]] == most] if most >= 2 else list(patches)
    return max(voters, key=lambda patch: patch[1])


def noisy_or(probabilities: Iterable[float]) -> float:
    """P = 1 - prod(1 - P_i) (section 2.6.2, equation 1); 0 for no regions.

    Raises:
        ValueError: if a probability lies outside [0, 1].
    """
    return 0.0 - math.expm1(_log_survival(probabilities))


def _log_survival(probabilities: Iterable[float]) -> float:
    # fsum: the order in which regions are listed must not decide between two types.
    values = [_require_probability(probability) for probability in probabilities]
    return math.fsum(math.log1p(-value) if value < 1.0 else -math.inf for value in values)


def export_confidence(probability: Mapping[str, float]) -> Tuple[str, Dict[str, float]]:
    """The rule and the exported confidences for the Noisy-OR P of each type (section 2.6.2).

    Returns:
        (``none``, {}) where every P is 0; (``single``, {type: P}) where one P is not 0; otherwise
        (``softmax``, {type: softmax over the P that are not 0}).
    """
    present = {name: value for name, value in probability.items() if value > 0.0}
    if not present:
        return RULE_NONE, {}
    if len(present) == 1:
        return RULE_SINGLE, present
    total = sum(math.exp(value) for value in present.values())
    return RULE_SOFTMAX, {name: math.exp(value) / total for name, value in present.items()}


def decide(regions: Iterable[LabelledConfidence], classes: Classes = DEFAULT_CLASSES) -> Verdict:
    """The verdict of a case from the label and confidence of each of its regions.

    Regions labelled irrelevant leave the sum. Ours: the winner is found on the logarithm of
    1 - P, which still tells two types apart when both P round to 1; if even that is equal, the
    type with more regions wins, then the one named first in the class list. Ours, too: whether the type is
    decided (``DECIDED_MARGIN``).

    Raises:
        ValueError: if a label is not in the class list or a confidence lies outside [0, 1].
    """
    votes: Dict[str, List[float]] = {name: [] for name in classes.infections}
    for label, confidence in regions:
        if label == classes.irrelevant:
            continue
        if label not in votes:
            raise ValueError(f"label {label!r} is not one of {classes.patch_labels}")
        votes[label].append(confidence)
    probability = {name: noisy_or(values) for name, values in votes.items()}
    rule, confidence_of = export_confidence(probability)
    if rule == RULE_NONE:
        return Verdict(classes.none_found, rule, probability, confidence_of)
    survival = {name: _log_survival(votes[name]) for name in confidence_of}
    winner = min(confidence_of, key=lambda name: (survival[name], -len(votes[name])))
    return Verdict(winner, rule, probability, confidence_of, _is_decided(list(survival.values())))


def _is_decided(survival: Sequence[float]) -> bool:
    """Whether the likeliest type stands clear of the next, by the logarithms of 1 - P of the types that count.

    Two types that readers are both sure of cannot be told apart.
    """
    if len(survival) < 2:
        return True
    first, second = sorted(survival)[:2]
    return second > first and second - first >= DECIDED_MARGIN

"""What a cross-validation says, in sentences: above all how much of the accuracy is the source, not the disease."""

from collections.abc import Mapping, Sequence

from ...evaluation.figures import interval
from .arms import BLANKED, METHOD, METHOD_BY_IMAGE, PLAIN, PLAIN_BLANKED, PLAIN_BY_IMAGE
from .results import Measured, difference

HOW = (
    "Every X-ray is judged once, by networks that never saw it. In each fold a tenth of the patients of the training "
    "part is set apart for the learning rate, early stopping and the temperature, so that the test fold is never "
    "looked at before its figures are counted. Intervals draw patients; they do not hold what other weights or "
    "another division would change."
)


def audit_findings(measured: Sequence[Measured]) -> list[str]:
    """One paragraph on what is left when the lungs are blanked out, and one on what leaks by image.

    Empty where the set-ups of the audit are not all there.
    """
    by_name = {each.arm.name: each for each in measured}
    if not {METHOD, BLANKED, PLAIN, PLAIN_BLANKED} <= set(by_name):
        return []
    sentences = [
        _left(by_name, METHOD, BLANKED, "the method"),
        _left(by_name, PLAIN, PLAIN_BLANKED, "a plain ResNet-18"),
    ]
    paragraph = (
        " ".join(sentences)
        + " What is left was learnt from pictures that show no lung, as far as the boxes cover it: borders, "
        "markers, exposure and "
        "posture (and the places of the blanked boxes), that is, from the source and the projection of the picture and "
        "not from the disease. Only what goes beyond it can be the disease, and not all of that need be. Every "
        "accuracy on these X-rays must be read against it."
    )
    leaks = [
        f"{words}: {interval(difference(by_name[image], by_name[patient]).value)}"
        for image, patient, words in ((METHOD_BY_IMAGE, METHOD, "method"), (PLAIN_BY_IMAGE, PLAIN, "plain ResNet-18"))
        if image in by_name
    ]
    if not leaks:
        return [paragraph]
    return [paragraph, f"Accuracy of a division by image less that by patient: {'; '.join(leaks)}."]


def _left(by_name: Mapping[str, Measured], whole: str, blanked: str, what: str) -> str:
    with_lungs, without = (by_name[name].pooled["accuracy"] for name in (whole, blanked))
    chance = by_name[whole].commonest["accuracy"]
    gain, left = with_lungs.estimate - chance, without.estimate - chance
    share = (
        f", {100 * max(left, 0.0) / gain:.0f} % of what the network has over always stating the commonest class "
        f"({chance:.3f})"
        if gain > 0
        else f"; always stating the commonest class gives {chance:.3f}, and the network is no better than that"
    )
    return (
        f"By patient {what} has an accuracy of {interval(with_lungs)} and, with the lungs blanked out, still "
        f"{interval(without)}{share}."
    )

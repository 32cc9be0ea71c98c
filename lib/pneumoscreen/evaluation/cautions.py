"""What a reader of an evaluation must keep in mind, as far as the evaluation itself can tell."""

FEW_PATIENTS = 30
"""Ours: below this the percentile bootstrap is known to give intervals that are too narrow."""

FEW_OF_A_KIND = 10
"""Ours: cases of a diagnosis below which one case moves its recall by more than ten percentage points."""


def not_the_test_patients(side: str) -> str:
    """The sentence on figures of another side of the split."""
    return (
        f"These are not the test patients ({side}). Training and publication have used patients of this side, so that "
        "the figures are too good."
    )


def few_patients(patients: int) -> list[str]:
    """What intervals over so few patients are worth; nothing where there are enough."""
    if patients == 1:
        return ["There is one patient: no interval can be given, and nothing follows for others."]
    if patients < FEW_PATIENTS:
        return [
            f"There are {patients} patients. Below {FEW_PATIENTS} the true uncertainty is larger than the intervals."
        ]
    return []

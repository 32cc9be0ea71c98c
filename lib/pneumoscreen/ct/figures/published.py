"""The confusion matrices that Xu et al. 2020 publish: 90 test cases, 570 regions, 1710 patches."""

from ...metrics.confusion import ConfusionMatrix
from ...verdict import DEFAULT_CLASSES

PATCHES_M1 = ConfusionMatrix.from_counts(DEFAULT_CLASSES.patch_labels, [[260, 47, 50], [55, 276, 59], [75, 81, 807]])
"""Table 1, ResNet-18 alone."""

PATCHES_M2 = ConfusionMatrix.from_counts(DEFAULT_CLASSES.patch_labels, [[273, 32, 52], [46, 280, 64], [77, 82, 804]])
"""Table 1, with location attention."""

REGIONS = ConfusionMatrix.from_counts(DEFAULT_CLASSES.patch_labels, [[97, 15, 7], [18, 98, 14], [5, 2, 314]])
"""Table 3, after the vote, M2."""

CASES = ConfusionMatrix.from_counts(DEFAULT_CLASSES.case_labels, [[26, 3, 1], [4, 25, 1], [2, 1, 27]])
"""Table 5, after Noisy-OR, M2."""

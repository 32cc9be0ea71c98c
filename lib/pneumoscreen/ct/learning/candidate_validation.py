"""How well candidates find the lesions of held-out cases."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...metrics.detection import hits
from ..candidates.finding import CandidateModel, candidates_on_grid
from ..candidates.working_grid import network_input, pad_to_multiple
from .candidate_data import PreparedCase, read_prepared


@dataclass(frozen=True)
class CandidateFigures:
    """Figures over a set of cases.

    Attributes:
        cases: how many.
        lesions: infections in them.
        recall: share of the infections that a candidate hits (see ``metrics.detection.hits``).
        candidates: mean number a case.
        dice: of the infection map, over all voxels of all cases that have a mask; 1 where there is nothing.
    """

    cases: int
    lesions: int
    recall: float
    candidates: float
    dice: float

    def __str__(self) -> str:
        return (
            f"recall {self.recall:.3f} of {self.lesions} lesions in {self.cases} cases, "
            f"{self.candidates:.1f} candidates a case, infection Dice {self.dice:.3f}"
        )

    def to_dict(self) -> dict[str, float]:
        """Plain values for a card."""
        return asdict(self)


def candidates_of(case: PreparedCase, model: CandidateModel) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes, scores and infection probability of a prepared case, as ``candidates_on_grid`` gives them."""
    lungs = torch.from_numpy(case.lungs)
    image = network_input(torch.from_numpy(case.hu).float(), lungs > 0, model.settings.grid)
    output = model.predict(pad_to_multiple(image, model.settings.network.grid_multiple))
    return candidates_on_grid(output, lungs, model)


def validate(model: CandidateModel, cases: Sequence[Path | PreparedCase]) -> CandidateFigures:
    """Figures of a model over prepared cases, with everything that ``find_candidates`` does on the grid."""
    found = lesions = candidates = 0
    both = either = 0
    for item in cases:
        case = read_prepared(item) if isinstance(item, Path) else item
        boxes, _, probability = candidates_of(case, model)
        found += int(hits(boxes.numpy(), case.boxes).any(axis=0).sum())
        lesions += len(case.boxes)
        candidates += len(boxes)
        if case.infection is not None:
            said = probability > model.settings.selection.infection
            truth = torch.from_numpy(case.infection) > 0
            both += 2 * int((said & truth).sum())
            either += int(said.sum()) + int(truth.sum())
    return CandidateFigures(
        len(cases),
        lesions,
        found / lesions if lesions else 1.0,
        candidates / max(len(cases), 1),
        both / either if either else 1.0,
    )

"""The networks of the CT method as other programs meet them."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..case import Case
from ..errors import CaseError
from ..images.volume import Volume
from ..models.portable import Portable, TensorFormat
from ..models.weights import Weights
from .candidates.finding import CandidateModel
from .candidates.network import CandidateNetwork
from .candidates.working_grid import network_input, pad_to_multiple, place_grid
from .classifier import ClassifierModel, ClassifierNetwork
from .lungs.segmentation import segment_lungs
from .patches import PatchImage, RegionError, extract_patches

_ZYX = "zyx"


class _CandidateTensors(nn.Module):
    def __init__(self, network: CandidateNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        output = self.network(image)
        return (output.infection, *output.objectness, *output.deltas)


class _ClassifierTensors(nn.Module):
    def __init__(self, network: ClassifierNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, patches: Tensor, distance: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network(patches, distance).values())


def portable_candidates(weights: Weights) -> Portable:
    """The candidate network: the lungs on the working grid in, infection and proposals out.

    Raises:
        ModelError: if the weights do not fit the program.
    """
    model = CandidateModel.load(weights)
    settings = model.settings

    def prepare(volume: Volume, case: Case | None) -> tuple[Tensor, ...]:
        del case
        labels = segment_lungs(volume).labels
        grid = place_grid(volume, labels, settings.grid)
        image = network_input(grid.sample(volume.hu), grid.sample_sides(labels) > 0, settings.grid)
        return (pad_to_multiple(image, settings.network.grid_multiple)[None],)

    low, high = settings.grid.hu_window
    spacing = " x ".join(f"{length:g}" for length in settings.grid.spacing_mm)
    axes = tuple(f"{step}*{axis}" for step, axis in zip(settings.network.grid_multiple, _ZYX, strict=True))
    image = TensorFormat(
        "image",
        (1, 2, *axes),
        f"the box around the lungs at {spacing} mm (z, y, x; x to the patient's left, y to the back, z to the head), "
        "padded at its far end with air and no lung",
        (f"HU from {low:g} to {high:g} as -1 to 1", "1 in the lungs, 0 elsewhere"),
        (-1.0, 1.0),
    )
    infection = TensorFormat(
        "infection",
        (1, 1, *axes),
        "logit of infection, voxel by voxel; outside the lungs it means nothing",
        ("infection",),
    )
    stages = settings.network.proposal_stages
    strides = [_axes_of_stage(settings.network.grid_multiple, stage) for stage in stages]
    anchors = len(settings.network.anchor_shapes)
    objectness = tuple(
        TensorFormat(f"objectness_{stage}", (1, anchors, *grid), f"logits of the anchors at decoder stage {stage}")
        for stage, grid in zip(stages, strides, strict=True)
    )
    deltas = tuple(
        TensorFormat(f"deltas_{stage}", (1, 6 * anchors, *grid), f"box codes of these anchors, stage {stage}")
        for stage, grid in zip(stages, strides, strict=True)
    )
    return Portable(
        _CandidateTensors(model.network).eval(),
        "Marks infection in the lungs of a chest CT and proposes candidate regions.",
        (image,),
        (infection, *objectness, *deltas),
        prepare,
    )


def _axes_of_stage(multiple: Sequence[int], stage: int) -> tuple[str, ...]:
    """Lengths of the axes at a stage: the first step down is in-plane only."""
    strides = (2 ** max(stage - 1, 0), 2**stage, 2**stage)
    return tuple(f"{step // stride}*{axis}" for step, stride, axis in zip(multiple, strides, _ZYX, strict=True))


def portable_classifier(weights: Weights) -> Portable:
    """The patch classifier: the patches of all regions of a document in, logits of each head out.

    Raises:
        ModelError: if the weights do not fit the program.
    """
    model = ClassifierModel.load(weights)
    settings = model.settings

    def prepare(volume: Volume, case: Case | None) -> tuple[Tensor, ...]:
        if case is None:
            raise CaseError(
                "document: the patch classifier looks at the regions of a case document; name the document "
                "that `pneumoscreen screen` wrote of this scan"
            )
        patches = _patches(volume, case, model)
        if not patches:
            raise CaseError("document: none of its regions shows lung in this scan; name the document of this scan")
        pixels = torch.from_numpy(np.stack([patch.pixels for patch in patches]))[:, None]
        return pixels, torch.tensor([patch.distance_from_edge for patch in patches], dtype=torch.float32)

    size, (low, high) = settings.patches.size, settings.patches.window_hu
    labels = settings.classes.classes.patch_labels
    return Portable(
        _ClassifierTensors(model.network).eval(),
        f"Labels patches of candidate regions as {', '.join(labels)}.",
        (
            TensorFormat(
                "patches",
                ("n", 1, size, size),
                "axial patches, three of each region from the lowest slice up; rows to the back, columns to the left",
                (f"HU from {low:g} to {high:g} as 0 to 1",),
                (0.0, 1.0),
            ),
            TensorFormat("distance", ("n",), "relative distance from the lung's edge", values=(0.0, 0.5)),
        ),
        tuple(
            TensorFormat(
                f"logits_{head}",
                ("n", len(labels)),
                f"of head {head}; softmax after division by {settings.temperatures.get(head, 1.0):g}",
                labels,
            )
            for head in settings.heads
        ),
        prepare,
        settings.classes.classes,
    )


def _patches(volume: Volume, case: Case, model: ClassifierModel) -> list[PatchImage]:
    lungs, found = segment_lungs(volume), []
    for region in case.regions:
        box = volume.box_from_mm(np.array(region.center_mm), np.array(region.size_mm))
        try:
            found += extract_patches(volume, lungs, box, model.settings.patches)
        except RegionError:
            continue  # as in a screening
    return found

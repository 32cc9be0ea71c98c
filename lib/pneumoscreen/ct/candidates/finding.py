"""Step 2 of CT screening: candidate regions and the infection mask (Xu et al. 2020, section 2.3).

One pass of VNET-IR-RPN over the lungs' bounding box on the working grid; its proposals and its infection map
together give the candidates, one a focus (``foci``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, ValidationError
from torch import Tensor

from ...config import Settings
from ...errors import ModelError
from ...images.volume import Volume
from ...method import Progress
from ...models.precision import half_is_fast
from ..freed_memory import keep_freed_memory
from ..lungs.morphology import grown, grown_in_slice
from .foci import find_foci
from .network import CandidateNetwork, CandidateNetworkSettings, CandidateOutput
from .proposals import Proposals, SelectionSettings
from .working_grid import WorkingGrid, WorkingGridSettings, network_input, pad_to_multiple, place_grid

STAGE = "candidates"


class InferenceSettings(Settings):
    """How the network walks over a grid: windows of this size (z, y, x) in voxels, overlapping by this share.

    The default window holds nearly every pair of lungs, so that one pass is the rule: 384 x 384 x 416 mm.
    """

    window: tuple[int, int, int] = (96, 192, 208)
    overlap: float = Field(0.25, ge=0, lt=1)


class CandidateSettings(Settings):
    """All that stands in the card of a weight file: the network, its grid, and what it selects."""

    network: CandidateNetworkSettings = CandidateNetworkSettings()
    grid: WorkingGridSettings = WorkingGridSettings()
    selection: SelectionSettings = SelectionSettings()
    inference: InferenceSettings = InferenceSettings()


@dataclass(frozen=True)
class Candidates:
    """What may be infected.

    Attributes:
        boxes: float64 [n, 6], index boxes on the volume's grid.
        scores: float64 [n], 0 to 1, descending.
        infection: bool [z, y, x] on the volume's grid.
    """

    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    infection: NDArray[np.bool_]


class _Weights(Protocol):
    @property
    def state(self) -> Mapping[str, Tensor]: ...

    @property
    def card(self) -> Mapping[str, Any]: ...


class _Lungs(Protocol):
    @property
    def labels(self) -> NDArray[np.uint8]: ...


class CandidateModel:
    """The network with its settings, on a device, ready to infer."""

    def __init__(self, network: CandidateNetwork, settings: CandidateSettings, device: torch.device) -> None:
        self.network = network.to(device=device, memory_format=torch.channels_last_3d).eval()  # type: ignore[call-overload]
        self.settings = settings
        self.device = device
        self.proposals = Proposals(settings.network)
        self._half = half_is_fast(device)
        if device.type == "cpu":
            keep_freed_memory()

    @classmethod
    def load(cls, weights: _Weights, device: str = "cpu") -> "CandidateModel":
        """Rebuild the network from the card and fill it.

        Raises:
            ModelError: if the card does not describe a candidate network or the weights do not fit it.
        """
        try:
            settings = CandidateSettings.model_validate(weights.card.get("network", {}))
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise ModelError(
                f"ct_candidates: field network.{key} of card.json: {first['msg']}; publish the weights again"
            ) from None
        network = CandidateNetwork(settings.network)
        try:
            network.load_state_dict(dict(weights.state))
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"ct_candidates: the weights do not fit the network of their card ({reason})") from None
        return cls(network, settings, torch.device(device))

    @classmethod
    def untrained(cls, settings: CandidateSettings, seed: int = 0, device: str = "cpu") -> "CandidateModel":
        """A network of these settings with random weights, the same for the same seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return cls(CandidateNetwork(settings.network), settings, torch.device(device))

    def state(self) -> dict[str, Tensor]:
        """The weights, on the CPU, as ``load`` takes them."""
        return {name: tensor.detach().cpu().contiguous() for name, tensor in self.network.state_dict().items()}

    def card_network(self) -> dict[str, Any]:
        """The entry ``network`` of the card."""
        return self.settings.model_dump(mode="json")

    @torch.no_grad()
    def predict(self, image: Tensor) -> CandidateOutput:
        """Output for one padded image [2, z, y, x]: float32 on the CPU, a window at a time where it is large."""
        roi = [
            min(size, -(-window // step) * step)
            for size, window, step in zip(
                image.shape[1:], self.settings.inference.window, self.settings.network.grid_multiple, strict=True
            )
        ]
        if roi == list(image.shape[1:]):
            outputs = tuple(m.cpu() for m in self._predict_window(image.unsqueeze(0).to(self.device)))
        else:
            outputs = self._predict_windows(image, roi)
        stages = len(self.settings.network.proposal_stages)
        return CandidateOutput(outputs[0], tuple(outputs[1 : 1 + stages]), tuple(outputs[1 + stages :]))

    def _predict_windows(self, image: Tensor, roi: list[int]) -> tuple[Tensor, ...]:
        # MONAI is large, and nearly every pair of lungs fits into one window.
        from monai.inferers import sliding_window_inference

        outputs: tuple[Tensor, ...] = sliding_window_inference(
            image.unsqueeze(0),
            roi_size=roi,
            sw_batch_size=1,
            predictor=self._predict_window,
            overlap=self.settings.inference.overlap,
            mode="gaussian",
            sw_device=self.device,
            device=torch.device("cpu"),
        )
        return outputs

    def _predict_window(self, images: Tensor) -> tuple[Tensor, ...]:
        images = images.contiguous(memory_format=torch.channels_last_3d)
        half = torch.bfloat16 if self.device.type == "cpu" else torch.float16
        with torch.autocast(self.device.type, half, enabled=self._half):
            output = self.network(images)
        return tuple(m.float() for m in (output.infection, *output.objectness, *output.deltas))


def find_candidates(
    volume: Volume, lungs: _Lungs, model: CandidateModel, progress: Progress | None = None
) -> Candidates:
    """Candidate boxes and infection mask of a CT.

    Args:
        volume: the CT.
        lungs: with ``labels`` uint8 [z, y, x], 0 where there is no lung.
        model: trained network.
        progress: called with ("candidates", fraction of this step); may raise ``Cancelled``.

    Raises:
        NoLungsError: if no voxel is lung.
    """
    report = progress or (lambda stage, fraction: None)
    report(STAGE, 0.0)
    settings = model.settings
    grid = place_grid(volume, lungs.labels, settings.grid)
    sides = grid.sample_sides(lungs.labels)
    image = network_input(grid.sample(volume.hu), sides > 0, settings.grid)
    report(STAGE, 0.2)
    output = model.predict(pad_to_multiple(image, settings.network.grid_multiple))
    report(STAGE, 0.8)
    boxes, scores, probability = candidates_on_grid(output, sides, model)
    report(STAGE, 0.9)
    infection = grid.mask_to_volume(probability, settings.selection.infection)
    report(STAGE, 1.0)
    on_volume = _within_crop(grid.boxes_to_volume(boxes.double().numpy()), grid)
    return Candidates(on_volume, scores.double().numpy(), infection)


def _within_crop(boxes: NDArray[np.float64], grid: WorkingGrid) -> NDArray[np.float64]:
    low, high = np.asarray(grid.low) - 0.5, np.asarray(grid.high) - 0.5
    return np.clip(boxes, np.tile(low, 2), np.tile(high, 2))


def candidates_on_grid(output: CandidateOutput, sides: Tensor, model: CandidateModel) -> tuple[Tensor, Tensor, Tensor]:
    """Candidates of one image, still on the working grid.

    Args:
        output: of the padded image, batch of one.
        sides: uint8 or bool [z, y, x], not padded: 0 where there is no lung; a candidate lies in the lung of one value.
        model: whose settings select.

    Returns:
        Boxes [n, 6] in edge coordinates, scores [n] descending, infection probability [z, y, x], which is 0
        away from the lungs.
    """
    selection = model.settings.selection
    lung_mask = sides > 0
    depth, height, width = lung_mask.shape
    near_lungs = torch.from_numpy(grown_in_slice(grown(lung_mask.numpy(), 1, 0), 1))
    probability = output.infection[0, 0, :depth, :height, :width].sigmoid() * near_lungs
    logits, codes = model.proposals.flatten(output.objectness, output.deltas)
    anchors = model.proposals.anchors(output.infection, output.objectness)
    boxes, scores = model.proposals.select(logits[0], codes[0], anchors, (depth, height, width), selection)
    boxes, scores = _inside_lungs(boxes, scores, lung_mask, selection.lung_fraction)
    voxel_ml = float(np.prod(model.settings.grid.spacing_mm)) / 1000.0
    foci = find_foci(
        boxes.double().numpy(),
        scores.double().numpy(),
        probability.numpy(),
        sides.to(torch.uint8).numpy(),
        voxel_ml,
        selection,
    )
    return torch.from_numpy(foci.boxes), torch.from_numpy(foci.scores), probability


def _inside_lungs(boxes: Tensor, scores: Tensor, lung_mask: Tensor, least: float) -> tuple[Tensor, Tensor]:
    """The boxes of which at least this share is lung."""
    keep = []
    for box in boxes.tolist():
        z0, y0, x0 = (int(np.floor(v)) for v in box[:3])
        z1, y1, x1 = (int(np.ceil(v)) for v in box[3:])
        keep.append(bool(lung_mask[z0:z1, y0:y1, x0:x1].float().mean() >= least))
    chosen = torch.tensor(keep, dtype=torch.bool)
    return boxes[chosen], scores[chosen]

"""The head with which the localiser begins, fitted to what the trunk sees of lungs (ours).

With the trunk as it is, all that is learnt is linear: first the mask, place by place, from where readers drew
opacities; then the lung, from what H = (1 + M) * F and M show of it. Both are convex, so that the same lungs give the
same head whatever the order, and no epochs have to be chosen.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from sklearn.linear_model import LogisticRegression

from ...config import Settings
from ..photograph_lungs import NOWHERE, LungHead

_ROUNDS = 300
_AT_ONCE = 256
_LEAST = 1e-6


class HeadSettings(Settings):
    """How a head is trained.

    Attributes:
        mask: how freely the mask follows what was drawn (inverse of the ridge penalty).
        lung: how freely a lung's probability follows what is seen of it (likewise).
        places: how many places of the feature maps teach the mask.
        disputed: weight of a lung on which two readers differ.
        doubtful: weight of a lung without an opacity that no reader called clear.
        phantoms: weight of a lung of a phantom.
        seed: of places.
    """

    mask: float = Field(1e-3, gt=0.0)
    lung: float = Field(1e-3, gt=0.0)
    places: int = Field(25_000, ge=1)
    disputed: float = Field(0.5, ge=0.0, le=1.0)
    doubtful: float = Field(0.3, ge=0.0, le=1.0)
    phantoms: float = Field(0.25, ge=0.0, le=1.0)
    seed: int = Field(0, ge=0)


@dataclass(frozen=True)
class LungMaps:
    """Lungs as the trunk sees them.

    Attributes:
        maps: float16 [n, channels, h, w].
        opacity: float32 [n, h, w], the share of each place where readers saw an opacity.
        infected: bool [n].
        weights: float64 [n], how much each counts.
    """

    maps: NDArray[np.float16]
    opacity: NDArray[np.float32]
    infected: NDArray[np.bool_]
    weights: NDArray[np.float64]


def train_head(lungs: LungMaps, settings: HeadSettings, attention: bool = True, dropout: float = 0.0) -> LungHead:
    """Fit a head; the same lungs and settings give the same head. Both kinds of lung weigh the same in sum."""
    head = LungHead(attention, dropout).eval()
    values = np.moveaxis(lungs.maps, 1, -1).reshape(-1, lungs.maps.shape[1]).astype(np.float32)
    head.norm.running_mean = torch.from_numpy(values.mean(axis=0))
    head.norm.running_var = torch.from_numpy(values.var(axis=0))
    if attention:
        _fit_mask(head, lungs, settings)
    seen = _seen(head, lungs)
    middle, spread = seen.mean(axis=0), seen.std(axis=0) + _LEAST
    fitted = LogisticRegression(C=settings.lung, max_iter=_ROUNDS)
    fitted.fit((seen - middle) / spread, lungs.infected, balanced(lungs.infected, lungs.weights))
    slopes = fitted.coef_[0] / spread
    _fill(head.classify, slopes[None], float(fitted.intercept_[0] - slopes @ middle))
    return head


def _fit_mask(head: LungHead, lungs: LungMaps, settings: HeadSettings) -> None:
    """The mask from places of lungs whose opacities were drawn or that have none."""
    chosen = is_drawn(lungs.opacity, lungs.infected)
    features = torch.from_numpy(lungs.maps[chosen].astype(np.float32))
    with torch.inference_mode():
        places = np.moveaxis(head.norm(features).numpy(), 1, -1).reshape(-1, lungs.maps.shape[1])
    drawn = lungs.opacity[chosen].reshape(-1) > 0.5
    if drawn.all() or not drawn.any():
        # Nothing was drawn: the mask stays nowhere.
        _fill(head.mask, np.zeros((1, places.shape[1], 1, 1)), NOWHERE)
        return
    some = np.random.default_rng(settings.seed).permutation(len(places))[: settings.places]
    fitted = LogisticRegression(C=settings.mask, max_iter=_ROUNDS).fit(places[some], drawn[some])
    _fill(head.mask, fitted.coef_[0][None, :, None, None], float(fitted.intercept_[0]))


def _fill(layer: torch.nn.Module, weight: NDArray[np.floating], bias: float) -> None:
    layer.weight.data = torch.from_numpy(weight.astype(np.float32))
    layer.bias.data = torch.tensor([bias], dtype=torch.float32)


@torch.inference_mode()
def _seen(head: LungHead, lungs: LungMaps) -> NDArray[np.float64]:
    parts = [
        head.seen(head.norm(torch.from_numpy(lungs.maps[start : start + _AT_ONCE].astype(np.float32))))[0]
        for start in range(0, len(lungs.infected), _AT_ONCE)
    ]
    return np.asarray(torch.cat(parts).double().numpy())


def is_drawn(opacity: NDArray[np.number], infected: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether what was drawn [n, h, w] is all there is: lungs with drawn opacities, and those that have none; [n]."""
    return np.asarray(opacity.any(axis=(1, 2)) | ~infected)


def balanced(infected: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights [n] under which both kinds of lung count the same in sum; 1 in the mean."""
    shares = [max(float(weights[infected == kind].sum()), _LEAST) for kind in (False, True)]
    even = weights / np.where(infected, shares[1], shares[0])
    return np.asarray(even / even.mean(), dtype=np.float64)

"""The head of the localiser on kept features of lungs, and five-fold cross-validation by patient (ours).

With the trunk as it is, all that is learnt is linear: first the mask, place by place, from where readers drew
opacities; then the lung, from what H = (1 + M) * F and M show of it. Both are convex, so that the same lungs give the
same head whatever the order, and no epochs have to be chosen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from sklearn.linear_model import LogisticRegression

from ..config import Settings
from ..cxr.photograph_lungs import NOWHERE, LungHead

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
        folds: of the cross-validation, by patient.
        seed: of places and folds.
    """

    mask: float = Field(1e-3, gt=0.0)
    lung: float = Field(1e-3, gt=0.0)
    places: int = Field(25_000, ge=1)
    disputed: float = Field(0.5, ge=0.0, le=1.0)
    doubtful: float = Field(0.3, ge=0.0, le=1.0)
    phantoms: float = Field(0.25, ge=0.0, le=1.0)
    folds: int = Field(5, ge=2)
    seed: int = Field(0, ge=0)


@dataclass(frozen=True)
class KeptLungs:
    """Lungs as the trunk sees them; all lungs of a film stand beside each other.

    Attributes:
        maps: float16 [n, copies, channels, h, w]; the first copy is not varied.
        opacity: float16 [n, copies, h, w], where readers saw an opacity.
        infected: bool [n].
        certain: bool [n]: infected, or called clear by a reader.
        weights: float32 [n], how much each counts.
        films: of each lung.
        patients: likewise.
    """

    maps: NDArray[np.float16]
    opacity: NDArray[np.float16]
    infected: NDArray[np.bool_]
    certain: NDArray[np.bool_]
    weights: NDArray[np.float32]
    films: NDArray[np.str_]
    patients: NDArray[np.str_]

    def __len__(self) -> int:
        """How many lungs there are."""
        return len(self.infected)

    def only(self, rows: NDArray[np.integer]) -> "KeptLungs":
        """The lungs of these rows."""
        return KeptLungs(**{name: values[rows] for name, values in vars(self).items()})

    def joined(self, other: "KeptLungs") -> "KeptLungs":
        """These lungs and others behind them."""
        both = {name: np.concatenate([values, getattr(other, name)]) for name, values in vars(self).items()}
        return KeptLungs(**both)


def train_head(lungs: KeptLungs, settings: HeadSettings, attention: bool = True) -> LungHead:
    """Train a head; the same lungs and settings give the same head. Both kinds of lung weigh the same in sum."""
    head = LungHead(attention, 0.0).eval()
    values = np.moveaxis(lungs.maps[:, 0], 1, -1).reshape(-1, lungs.maps.shape[2]).astype(np.float32)
    head.norm.running_mean = torch.from_numpy(values.mean(axis=0))
    head.norm.running_var = torch.from_numpy(values.var(axis=0))
    if attention:
        _fit_mask(head, lungs, settings)
    count, copies = lungs.maps.shape[:2]
    seen = np.concatenate([_seen(head, lungs, copy) for copy in range(copies)])
    middle, spread = seen.mean(axis=0), seen.std(axis=0) + _LEAST
    fitted = LogisticRegression(C=settings.lung, max_iter=_ROUNDS)
    weights = np.tile(lungs.weights * _balance(lungs), copies) / copies
    fitted.fit((seen - middle) / spread, np.tile(lungs.infected, copies), weights * count / weights.sum())
    slopes = fitted.coef_[0] / spread
    _fill(head.classify, slopes[None], float(fitted.intercept_[0] - slopes @ middle))
    return head


def _fit_mask(head: LungHead, lungs: KeptLungs, settings: HeadSettings) -> None:
    """The mask from places of the copies that are not varied, of lungs whose opacities were drawn or that have none."""
    is_drawn = (lungs.opacity[:, 0].max(axis=(1, 2)) > 0) | ~lungs.infected
    features = torch.from_numpy(lungs.maps[is_drawn, 0].astype(np.float32))
    with torch.inference_mode():
        places = np.moveaxis(head.norm(features).numpy(), 1, -1).reshape(-1, lungs.maps.shape[2])
    drawn = lungs.opacity[is_drawn, 0].reshape(-1) > 0.5
    if drawn.all() or not drawn.any():
        # Nothing was drawn: the mask stays nowhere.
        _fill(head.mask, np.zeros((1, places.shape[1], 1, 1)), NOWHERE)
        return
    chosen = np.random.default_rng(settings.seed).permutation(len(places))[: settings.places]
    fitted = LogisticRegression(C=settings.mask, max_iter=_ROUNDS).fit(places[chosen], drawn[chosen])
    _fill(head.mask, fitted.coef_[0][None, :, None, None], float(fitted.intercept_[0]))


def _fill(layer: torch.nn.Module, weight: NDArray[np.floating], bias: float) -> None:
    layer.weight.data = torch.from_numpy(weight.astype(np.float32))
    layer.bias.data = torch.tensor([bias], dtype=torch.float32)


@torch.inference_mode()
def _seen(head: LungHead, lungs: KeptLungs, copy: int) -> NDArray[np.float64]:
    parts = [
        head.seen(torch.from_numpy(lungs.maps[start : start + _AT_ONCE, copy].astype(np.float32)))[0]
        for start in range(0, len(lungs), _AT_ONCE)
    ]
    return np.asarray(torch.cat(parts).double().numpy())


def _balance(lungs: KeptLungs) -> NDArray[np.float32]:
    shares = [float(lungs.weights[lungs.infected == kind].sum()) for kind in (False, True)]
    each = [sum(shares) / (2.0 * share) if share else 1.0 for share in shares]
    return np.where(lungs.infected, each[1], each[0]).astype(np.float32)


@torch.inference_mode()
def logits_of(head: LungHead, lungs: KeptLungs) -> NDArray[np.float64]:
    """Logits [n] of the copies that are not varied."""
    seen = torch.from_numpy(_seen(head, lungs, 0)).float()
    return np.asarray(head.classify(seen)[:, 0].double().numpy())


def cross_validated(lungs: KeptLungs, settings: HeadSettings, attention: bool = True) -> NDArray[np.float64]:
    """Logits [n], each from a head that saw no lung of that patient."""
    folds = folds_of(lungs.patients.tolist(), settings)
    found = np.zeros(len(lungs))
    for fold in range(settings.folds):
        held_out = np.flatnonzero(folds == fold)
        head = train_head(lungs.only(np.flatnonzero(folds != fold)), settings, attention)
        found[held_out] = logits_of(head, lungs.only(held_out))
    return found


def folds_of(patients: Sequence[str], settings: HeadSettings) -> NDArray[np.int64]:
    """The fold [n] of each patient, all of them about as large."""
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    places = np.random.default_rng(settings.seed).permutation(len(names)) % settings.folds
    return np.asarray(places[owner], dtype=np.int64)


@dataclass(frozen=True)
class JudgedFilms:
    """Films by their likelier lung.

    Attributes:
        logits: float64 [m].
        infected: bool [m], whether a lung is.
        certain: bool [m]: infected, or all lungs called clear by a reader.
        patients: of each film.
    """

    logits: NDArray[np.float64]
    infected: NDArray[np.bool_]
    certain: NDArray[np.bool_]
    patients: NDArray[np.str_]

    @classmethod
    def of(cls, logits: NDArray[np.float64], lungs: KeptLungs) -> "JudgedFilms":
        """The films of lungs with these logits [n]."""
        names, first, owner = np.unique(lungs.films, return_index=True, return_inverse=True)
        largest, infected = np.full(len(names), -np.inf), np.zeros(len(names), dtype=bool)
        np.maximum.at(largest, owner, logits)
        np.logical_or.at(infected, owner, lungs.infected)
        certain = np.ones(len(names), dtype=bool)
        np.logical_and.at(certain, owner, lungs.certain)
        return cls(largest, infected, infected | certain, lungs.patients[first])

    def only(self, rows: NDArray[np.bool_]) -> "JudgedFilms":
        """The films of these rows."""
        return JudgedFilms(**{name: values[rows] for name, values in vars(self).items()})

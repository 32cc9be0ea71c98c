"""What the two infections look like, and what is irrelevant to infection.

After Xu et al. 2020, section 2.5.1 and discussion: COVID-19 shows ground glass, several foci, close to the pleura;
influenza-A lies more centrally, patchier and more consolidated, with fewer foci. Ours: the distributions, which
overlap on purpose, so that neither look nor place alone decides; and the fine structure (septa, halo, open airways,
bands, small nodules), which is as frequent in the one type as in the other, so that it never gives the type away.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .lesions import Blob, LesionModel, oriented

Manifestation = Literal["drawn", "early", "fine"]
"""How an infection shows: as it is drawn, in small foci only, or in bands, small nodules and filled airways only."""


class Shares(NamedTuple):
    """Shares of the shapes among infections; the others are patches."""

    bands: float
    nodules: float
    clusters: float
    trees: float


SHARES: dict[Manifestation, Shares] = {
    "drawn": Shares(bands=0.1, nodules=0.12, clusters=0.1, trees=0.06),
    "fine": Shares(bands=0.3, nodules=0.0, clusters=0.4, trees=0.3),
}
GROUND_GLASS_HU = -620.0
CONSOLIDATION_HU = -10.0
SEPTA_SHARE = 0.35
BRONCHOGRAM_SHARE = 0.4
IRRELEVANT_KINDS = {
    "fibrosis band": 0.28,
    "calcified nodule": 0.15,
    "dependent atelectasis": 0.25,
    "solid nodule": 0.15,
    "mass": 0.12,
    "collapse": 0.05,
}
SCARS = ("fibrosis band", "calcified nodule")


def draw_lesion(
    label: str, severity: float, rng: np.random.Generator, manifestation: Manifestation = "drawn"
) -> LesionModel:
    """Draw a lesion at the origin; ``place`` puts it where it belongs.

    Args:
        label: ``covid19``, ``influenza_a`` or ``irrelevant``.
        severity: 0 (early) to 1 (severe); widens infections.
        rng: source of randomness.
        manifestation: ``early``: an infection is a small nodule or a small flat patch, whatever the severity;
            ``fine``: bands, a cluster of small nodules, or small airways filled with mucus or pus.
    """
    if label == "covid19":
        return _infection(label, severity, rng, rng.beta(1.2, 3.6), int(rng.integers(1, 3)), manifestation)
    if label == "influenza_a":
        return _infection(label, severity, rng, rng.beta(3.4, 1.3), int(rng.integers(3, 6)), manifestation)
    return _irrelevant(rng)


def _waves(rng: np.random.Generator, count: int = 7) -> NDArray[np.float64]:
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    frequency = 2 * np.pi / rng.uniform(6.0, 28.0, (count, 1))
    return np.concatenate([directions * frequency, rng.uniform(0, 2 * np.pi, (count, 1))], axis=1)


def _direction(rng: np.random.Generator) -> NDArray[np.float64]:
    direction = rng.normal(size=3)
    return np.asarray(direction / np.linalg.norm(direction))


def _infection(
    label: str,
    severity: float,
    rng: np.random.Generator,
    consolidation: float,
    patchy: int,
    manifestation: Manifestation,
) -> LesionModel:
    shape = rng.random()
    size = rng.uniform(7.5, 15.0) * (1.0 + 1.9 * severity * rng.uniform(0.4, 1.0))
    bands, nodules, clusters, trees = np.cumsum(SHARES.get(manifestation, SHARES["drawn"]))
    if manifestation == "early":
        blobs, size = _small(rng)
    elif shape < bands:
        blobs = _bands(size, rng)
    elif shape < nodules:
        size = rng.uniform(4.0, 8.0)
        blobs = (Blob(np.zeros(3), size * rng.uniform(0.8, 1.2, 3), np.eye(3)),)
    elif shape < clusters:
        blobs = _cluster(size, rng)
    elif shape < trees:
        blobs, consolidation = _tree(size, rng), max(consolidation, rng.uniform(0.4, 0.9))
    else:
        blobs = _patches(size, patchy, rng)
    covid = label == "covid19"
    hu = GROUND_GLASS_HU + rng.normal(0.0, 60.0) + 260.0 * consolidation * rng.uniform(0.5, 1.0)
    core_hu = CONSOLIDATION_HU + rng.normal(0.0, 25.0)
    reversed_halo = rng.random() < 0.06
    edge = rng.uniform(3.0, 8.5) if covid else rng.uniform(2.0, 6.5)
    smallest = float(min(blobs[0].radii))
    return LesionModel(
        label=label,
        kind="ground glass" if consolidation < 0.35 else "mixed" if consolidation < 0.65 else "consolidation",
        blobs=blobs,
        hu=float(np.clip(core_hu - 150.0 if reversed_halo else hu, -740.0, -20.0)),
        core_hu=float(hu if reversed_halo else core_hu),
        core=0.35 if reversed_halo else float(np.clip(1.05 - 1.25 * consolidation, 0.05, 1.2)),
        # A small or flat part would vanish under a border wider than itself.
        edge_mm=float(min(edge, max(1.0, 0.9 * smallest))),
        roughness=rng.uniform(0.08, 0.25) if covid else rng.uniform(0.12, 0.35),
        waves=_waves(rng),
        septa=rng.uniform(0.3, 1.0) if rng.random() < SEPTA_SHARE else 0.0,
        bronchi_mm=rng.uniform(0.8, 2.0) if size > 10.0 and rng.random() < BRONCHOGRAM_SHARE else 0.0,
        texture=int(rng.integers(2**31)),
        uneven_hu=rng.uniform(15.0, 80.0),
    )


def _small(rng: np.random.Generator) -> tuple[tuple[Blob, ...], float]:
    """The only trace of an early infection: a nodule, or a patch flat towards the pleura; and its size."""
    size = rng.uniform(4.0, 9.0)
    if rng.random() < 0.6:
        return (Blob(np.zeros(3), size * rng.uniform(0.8, 1.2, 3), np.eye(3)),), size
    return _patches(size, 1, rng), size


def _patches(size: float, patchy: int, rng: np.random.Generator) -> tuple[Blob, ...]:
    """A main part, flat towards the pleura, and some that hang on it."""
    blobs = [Blob(np.zeros(3), size * np.array([rng.uniform(0.5, 0.8), 1.0, rng.uniform(0.8, 1.3)]), np.eye(3))]
    for _ in range(patchy - 1):
        radii = size * rng.uniform(0.4, 0.75) * np.array([rng.uniform(0.6, 0.9), 1.0, 1.0])
        blobs.append(Blob(_direction(rng) * size * rng.uniform(0.7, 1.15), radii, np.eye(3)))
    return tuple(blobs)


def _bands(size: float, rng: np.random.Generator) -> tuple[Blob, ...]:
    """Organising bands: thin plates along the pleura."""
    blobs: list[Blob] = []
    for _ in range(int(rng.integers(1, 4))):
        radii = np.array([rng.uniform(2.5, 5.0), size * rng.uniform(0.9, 1.6), size * rng.uniform(0.5, 1.1)])
        blobs.append(Blob(rng.normal(0.0, 0.3 * size, 3) * (1.0 if blobs else 0.0), radii, np.eye(3)))
    return tuple(blobs)


def _cluster(size: float, rng: np.random.Generator) -> tuple[Blob, ...]:
    """Small nodules side by side about the airways, as in a bronchopneumonia."""
    blobs = [Blob(np.zeros(3), rng.uniform(2.5, 4.5, 3), np.eye(3))]
    for _ in range(int(rng.integers(6, 16))):
        blobs.append(Blob(rng.normal(0.0, 0.6 * size, 3), np.full(3, rng.uniform(1.8, 4.0)), np.eye(3)))
    return tuple(blobs)


def _tree(size: float, rng: np.random.Generator) -> tuple[Blob, ...]:
    """Small airways filled with mucus or pus: branches that part outwards, nodules at their ends (tree in bud)."""
    blobs = [Blob(np.zeros(3), rng.uniform(2.0, 4.0, 3), np.eye(3))]
    trunk = _direction(rng)
    for _ in range(int(rng.integers(8, 18))):
        along = trunk + rng.normal(0.0, 0.6, 3)
        along /= max(float(np.linalg.norm(along)), 1e-9)
        length, middle = rng.uniform(4.0, 9.0), size * rng.uniform(0.2, 1.0) * along + rng.normal(0.0, 0.25 * size, 3)
        thickness = rng.uniform(1.6, 3.2)
        blobs.append(Blob(middle, np.array([length, thickness, thickness]), oriented(along, rng)))
        for _ in range(int(rng.integers(1, 4))):
            end = middle + length * along + rng.normal(0.0, 3.0, 3)
            blobs.append(Blob(end, np.full(3, rng.uniform(1.8, 3.8)), np.eye(3)))
    return tuple(blobs)


def _irrelevant(rng: np.random.Generator) -> LesionModel:
    kind = str(rng.choice(list(IRRELEVANT_KINDS), p=list(IRRELEVANT_KINDS.values())))
    blobs, hu, edge, roughness = {
        "calcified nodule": _calcified,
        "fibrosis band": _fibrosis,
        "dependent atelectasis": _dependent,
        "solid nodule": _solid_nodule,
        "mass": _mass,
        "collapse": _collapse,
    }[kind](rng)
    return LesionModel(
        label="irrelevant",
        kind=kind,
        blobs=blobs,
        hu=float(hu),
        core_hu=float(hu),
        core=1.5,
        edge_mm=edge,
        roughness=roughness,
        waves=_waves(rng),
        bronchi_mm=rng.uniform(0.8, 1.6) if kind == "collapse" and rng.random() < 0.3 else 0.0,
        texture=int(rng.integers(2**31)),
        uneven_hu=rng.uniform(0.0, 20.0),
    )


_Shape = tuple[tuple[Blob, ...], float, float, float]


def _one(radii: NDArray[np.float64]) -> tuple[Blob, ...]:
    return (Blob(np.zeros(3), radii, np.eye(3)),)


def _calcified(rng: np.random.Generator) -> _Shape:
    radii = np.full(3, rng.uniform(2.5, 5.5)) * rng.uniform(0.8, 1.2, 3)
    return _one(radii), rng.uniform(150, 650), 1.0, 0.0


def _fibrosis(rng: np.random.Generator) -> _Shape:
    radii = np.array([rng.uniform(1.3, 2.6), rng.uniform(14, 32), rng.uniform(5, 18)])
    return _one(radii), rng.uniform(-250, 0), 1.5, 0.1


def _dependent(rng: np.random.Generator) -> _Shape:
    radii = np.array([rng.uniform(3.0, 5.5), rng.uniform(22, 42), rng.uniform(20, 45)])
    return _one(radii), rng.uniform(-420, -180), 3.0, 0.1


def _solid_nodule(rng: np.random.Generator) -> _Shape:
    """A round, sharply bordered nodule of soft tissue."""
    radii = np.full(3, rng.uniform(2.5, 8.0)) * rng.uniform(0.85, 1.15, 3)
    return _one(radii), rng.uniform(0, 70), rng.uniform(0.8, 1.5), rng.uniform(0.0, 0.06)


def _mass(rng: np.random.Generator) -> _Shape:
    """A tumour: soft tissue, lobulated, sharply bordered, often with spicules."""
    size = np.exp(rng.uniform(np.log(9.0), np.log(36.0)))
    blobs = [Blob(np.zeros(3), size * rng.uniform(0.8, 1.2, 3), np.eye(3))]
    for _ in range(int(rng.integers(0, 4))):
        radii = size * rng.uniform(0.4, 0.7) * rng.uniform(0.85, 1.15, 3)
        blobs.append(Blob(_direction(rng) * size * rng.uniform(0.5, 0.9), radii, np.eye(3)))
    if rng.random() < 0.5:
        blobs += [_spicule(size, rng) for _ in range(int(rng.integers(4, 12)))]
    return tuple(blobs), rng.uniform(0, 90), rng.uniform(0.8, 2.5), rng.uniform(0.0, 0.08)


def _spicule(size: float, rng: np.random.Generator) -> Blob:
    along = _direction(rng)
    length = rng.uniform(4.0, 12.0)
    return Blob(along * (size + 0.5 * length), np.array([length, 1.0, 1.0]), oriented(along, rng))


def _collapse(rng: np.random.Generator) -> _Shape:
    """A collapsed segment or lobe: a dense plate with straight, sharp borders."""
    radii = np.array([rng.uniform(7, 18), rng.uniform(22, 50), rng.uniform(22, 55)])
    return _one(radii), rng.uniform(10, 90), rng.uniform(0.8, 1.8), 0.03

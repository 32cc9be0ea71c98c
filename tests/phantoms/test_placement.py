"""Where lesions lie: COVID-19 near the pleura, influenza A more centrally, each with exceptions."""

import numpy as np

from pneumoscreen.phantoms.placement import LungMap, draw_lesions


def _two_round_lungs() -> LungMap:
    x = np.arange(-160.0, 160.0, 4.0, dtype=np.float32)
    z = np.arange(0.0, 240.0, 8.0, dtype=np.float32)
    labels = np.zeros((len(z), len(x), len(x)), dtype=np.uint8)
    for label, center in ((1, 75.0), (2, -75.0)):
        labels[:, np.hypot(x[None, :] - center, x[:, None]) < 62.0] = label
    return LungMap.build(labels, (x, x, z))


def _near_the_pleura(diagnosis: str, lungs: LungMap) -> float:
    depths = []
    for seed in range(60):
        for lesion in draw_lesions(diagnosis, lungs, np.random.default_rng(seed)):
            if lesion.label == diagnosis:
                x, y, _ = lesion.center
                depths.append(62.0 - min(np.hypot(x - 75.0, y), np.hypot(x + 75.0, y)))
    return float(np.mean(np.array(depths) < 16.0))


def test_place_tells_the_types_apart_but_not_always() -> None:
    lungs = _two_round_lungs()
    covid, influenza = _near_the_pleura("covid19", lungs), _near_the_pleura("influenza_a", lungs)
    assert covid > 0.75
    assert 0.1 < influenza < 0.4, "a pneumonia of any kind may lie on the pleura"

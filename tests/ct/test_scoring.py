"""A case's score from its patches: the same terms as from its document."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from pneumoscreen.active_learning.uncertainty import combine, disagreement, entropy, margin
from pneumoscreen.case import Case, ImageInfo, Patch, Region
from pneumoscreen.ct.classifier import Judgement
from pneumoscreen.ct.scoring import score_case
from pneumoscreen.cxr.gradcam import Judgement as CxrJudgement
from pneumoscreen.cxr.scoring import score_radiograph
from pneumoscreen.cxr.screening import CxrScreening
from pneumoscreen.verdict import DEFAULT_CLASSES

LABELS = DEFAULT_CLASSES.patch_labels


def judgement(rng: np.random.Generator, patches: int, draws: int = 5, sharpness: float = 0.5) -> Judgement:
    return Judgement(
        rng.dirichlet([sharpness] * 3, patches).reshape(patches, 3),
        rng.random((patches, 16), dtype=np.float32),
        rng.dirichlet([sharpness] * 3, (draws, patches)).reshape(draws, patches, 3),
    )


@pytest.mark.parametrize("sizes", [(3, 3, 2, 3), (1,), (3,) * 20, ()])
def test_it_tells_the_same_as_the_document(sizes: tuple[int, ...]) -> None:
    found = judgement(np.random.default_rng(len(sizes)), sum(sizes))
    rows, regions = iter(found.probabilities), []
    for number, size in enumerate(sizes):
        patches = []
        for slice_ in range(size):
            row = next(rows)
            best = int(row.argmax())
            patches.append(
                Patch(slice_, LABELS[best], float(row[best]), 0.1, dict(zip(LABELS, row.tolist(), strict=True)))
            )
        box = (0.0, 0.0, 0.0), (9.0, 9.0, 9.0)
        regions.append(Region(f"r{number}", "model", *box, 0.5, "left", tuple(patches)).with_vote())
    score = score_case("case", found, np.repeat(np.arange(len(sizes)), sizes), DEFAULT_CLASSES)
    rows = [[patch.probabilities[name] for name in LABELS] for region in regions for patch in region.patches]
    votes = [(r.label, r.confidence) for r in regions if r.label is not None and r.confidence is not None]
    expected = {
        "entropy": entropy(np.array(rows).reshape(-1, len(LABELS))),
        "disagreement": disagreement([patch.label for patch in region.patches] for region in regions),
        "margin": margin(votes, DEFAULT_CLASSES),
    }
    assert score.parts == pytest.approx(expected)
    assert score.uncertainty == pytest.approx(combine(expected))
    assert np.linalg.norm(score.embedding) == pytest.approx(1.0 if sizes else 0.0, abs=1e-5)


def test_the_order_of_patches_and_the_names_of_regions_do_not_matter() -> None:
    rng = np.random.default_rng(5)
    found, regions = judgement(rng, 18), np.repeat([4, 9, 2, 7, 5, 0], 3)
    order = rng.permutation(18)
    mixed = Judgement(found.probabilities[order], found.features[order], found.samples[:, order])
    one, other = (score_case("x", *pair, DEFAULT_CLASSES) for pair in ((found, regions), (mixed, regions[order] + 100)))
    assert other.uncertainty == pytest.approx(one.uncertainty)
    assert other.epistemic == pytest.approx(one.epistemic)
    assert np.allclose(other.embedding, one.embedding, atol=1e-6)


def test_a_doubtful_case_scores_above_a_sure_one_and_an_empty_one_scores_nothing() -> None:
    regions = np.repeat(np.arange(6), 3)
    sure, torn = (judgement(np.random.default_rng(1), 18, sharpness=sharpness) for sharpness in (0.02, 20.0))
    scores = [score_case("x", found, regions, DEFAULT_CLASSES) for found in (sure, torn)]
    assert scores[1].uncertainty > 2 * scores[0].uncertainty
    empty = score_case("x", judgement(np.random.default_rng(1), 0), [], DEFAULT_CLASSES)
    assert (empty.uncertainty, empty.epistemic) == (0.0, 0.0)
    assert not empty.embedding.any()


def test_each_patch_needs_its_region() -> None:
    with pytest.raises(ValueError, match="18 patches need as many region numbers"):
        score_case("x", judgement(np.random.default_rng(1), 18), [1, 2, 3], DEFAULT_CLASSES)


def screening(judgement: CxrJudgement | None) -> CxrScreening:
    image = ImageInfo((8, 8), (1.0, 1.0), "0" * 64)
    return CxrScreening(Case("x", "CXR", image), np.zeros((8, 8), np.float32), judgement=judgement)


def cxr_judgement(probabilities: Sequence[float], samples: Sequence[Sequence[float]]) -> CxrJudgement:
    features = np.random.default_rng(0).random(16, dtype=np.float32)
    return CxrJudgement(np.array(probabilities), np.zeros((4, 4), np.float32), features, np.array(samples))


class TestRadiograph:
    def test_an_even_chance_is_the_most_unsure(self) -> None:
        score = score_radiograph("x", screening(cxr_judgement([1 / 3] * 3, [[1 / 3] * 3] * 4)))
        assert score.case_id == "x"
        assert score.uncertainty == pytest.approx(1.0)
        assert score.parts == pytest.approx({"entropy": 1.0, "margin": 1.0})
        assert score.epistemic == pytest.approx(0.0, abs=1e-9), "all draws agree"

    def test_by_hand(self) -> None:
        score = score_radiograph("x", screening(cxr_judgement([0.7, 0.1, 0.2], [[0.7, 0.1, 0.2]] * 3)))
        entropy = -sum(p * math.log(p) for p in (0.7, 0.1, 0.2)) / math.log(3)
        assert score.uncertainty == pytest.approx(entropy)
        assert score.parts == pytest.approx({"entropy": entropy, "margin": 0.2 / 0.7})

    def test_a_sure_picture_scores_nothing(self) -> None:
        score = score_radiograph("x", screening(cxr_judgement([0.0, 1.0, 0.0], [[0.0, 1.0, 0.0]] * 3)))
        assert (score.uncertainty, score.parts["margin"], score.epistemic) == pytest.approx((0.0, 0.0, 0.0))

    def test_draws_that_contradict_each_other_are_doubt(self) -> None:
        torn = cxr_judgement([0.5, 0.5, 0.0], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        even = cxr_judgement([0.5, 0.5, 0.0], [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])
        doubts = [score_radiograph("x", screening(judged)).epistemic for judged in (torn, even)]
        assert doubts[0] > 0.5 > 0.01 > doubts[1]

    def test_the_embedding_has_the_length_1(self) -> None:
        score = score_radiograph("x", screening(cxr_judgement([0.6, 0.3, 0.1], [[0.6, 0.3, 0.1]])))
        assert score.embedding.shape == (16,)
        assert np.linalg.norm(score.embedding) == pytest.approx(1.0, abs=1e-5)

    def test_what_was_not_judged_is_not_scored(self) -> None:
        with pytest.raises(ValueError, match="nothing was classified"):
            score_radiograph("x", screening(None))

"""From a radiograph to its document, with untrained networks on a radiograph phantom."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.cxr.radiographs import (
    TINY_BOXES,
    TINY_CLASSES,
    TINY_SIDES,
    box_model,
    class_model,
    mirrored,
    phantom,
    side_model,
)

from pneumoscreen.case import CXR_CLASSES, SIDES, Case, Vector
from pneumoscreen.cxr import screening
from pneumoscreen.cxr.localization import OpacityCalibration
from pneumoscreen.cxr.lung_boxes import to_shares
from pneumoscreen.cxr.networks import NETWORKS
from pneumoscreen.cxr.sampling import enclosing
from pneumoscreen.cxr.screening import CxrScreener, CxrScreening
from pneumoscreen.errors import Cancelled, ModelError, NoLungsError
from pneumoscreen.evidence import Calibration
from pneumoscreen.images.radiograph import Radiograph
from pneumoscreen.models.store import ModelStore
from pneumoscreen.verdict import Verdict

CALIBRATION = OpacityCalibration(intercept=1.0, slope=1.0, calibrated_on="twelve films")
"""The probability 0.5 is at a logit of -1."""
CARD = {"data": "none", "seed": 0, "command": "test", "figures": {}, "licence": "Apache-2.0"}


def truth_screener(radiograph: Radiograph, boxes: Mapping[str, Vector], label: str = "covid19") -> CxrScreener:
    """Untrained networks; the first says the true boxes and the second always this label."""
    anchors = {side: tuple(to_shares(tuple(map(float, boxes[side])), radiograph).tolist()) for side in SIDES}
    model = class_model()
    model.network.classify.bias.data[CXR_CLASSES.index(label)] += 10.0
    return CxrScreener(box_model(settings=TINY_BOXES.model_copy(update={"anchors": anchors})), model, side_model(4))


@pytest.fixture(scope="module")
def screened() -> CxrScreening:
    chest = phantom()
    return truth_screener(chest.radiograph, chest.lung_boxes).screen(chest.radiograph, draws=4)


class TestDocument:
    def test_is_valid(self, screened: CxrScreening) -> None:
        back = Case.from_json(screened.case.to_json())
        assert back.to_json() == screened.case.to_json()
        assert back.modality == "CXR"
        radiograph = phantom().radiograph
        assert (back.case_id, back.image) == (radiograph.case_id, radiograph.image_info())
        assert "regions" not in screened.case.to_dict()

    def test_boxes_are_those_of_the_first_network(self, screened: CxrScreening) -> None:
        assert screened.case.cxr is not None
        for side in SIDES:
            np.testing.assert_allclose(screened.case.cxr.boxes[side], phantom().lung_boxes[side], atol=0.11)

    def test_the_verdict_is_the_likeliest_class(self, screened: CxrScreening) -> None:
        case = screened.case
        assert case.verdict is not None
        assert case.cxr is not None
        assert screened.judgement is not None
        assert case.verdict.label == "covid19"
        assert case.cxr.probabilities == case.verdict.probability == case.verdict.confidence
        np.testing.assert_allclose([case.cxr.probabilities[c] for c in CXR_CLASSES], screened.judgement.probabilities)
        assert screened.judgement.samples.shape == (4, 3)

    def test_covid_19_is_located(self, screened: CxrScreening) -> None:
        cxr = screened.case.cxr
        assert cxr is not None
        assert set(cxr.sides) == set(screened.attention) == set(SIDES)
        infected = [side for side in SIDES if cxr.sides[side] >= 0.5]
        assert cxr.location == {0: "none", 1: "".join(infected), 2: "bipulmonary"}[len(infected)]

    @pytest.mark.parametrize("label", ["healthy", "cap"])
    def test_nothing_else_is(self, label: str) -> None:
        chest = phantom()
        found = truth_screener(chest.radiograph, chest.lung_boxes, label).screen(chest.radiograph)
        assert found.case.verdict is not None
        assert found.case.cxr is not None
        assert found.case.verdict.label == label
        assert (found.case.cxr.sides, found.case.cxr.location, found.attention) == ({}, "none", {})
        Case.from_json(found.case.to_json())

    def test_a_diagnosis_changes_nothing_else(self, screened: CxrScreening) -> None:
        chest = phantom()
        told = truth_screener(chest.radiograph, chest.lung_boxes).screen(chest.radiograph, diagnosis="healthy")
        assert told.case.diagnosis == "healthy"
        assert told.case.verdict == screened.case.verdict
        assert told.case.cxr == screened.case.cxr

    def test_times_add_up(self) -> None:
        chest = phantom()
        start = time.perf_counter()
        timings = truth_screener(chest.radiograph, chest.lung_boxes).screen(chest.radiograph, read_s=7.5).case.timings_s
        assert list(timings) == ["read", "lungs", "classify", "total"]
        assert timings["read"] == 7.5
        assert timings["total"] == pytest.approx(sum(timings[stage] for stage in ("read", "lungs", "classify")))
        assert timings["total"] - 7.5 <= time.perf_counter() - start

    def test_notes_of_the_picture_and_of_the_screener_are_told(self) -> None:
        chest = phantom()
        screener = truth_screener(chest.radiograph, chest.lung_boxes).noting("Version 2 was passed over.")
        found = screener.noting("It is Monday.").screen(chest.radiograph).case.notes
        assert found == (*chest.radiograph.notes, "Version 2 was passed over.", "It is Monday.")


def lungs_first(logit: float, label: str = "covid19", tells_types: bool = True) -> CxrScreening:
    """A screening whose localiser has a calibration and says this of both lungs; its discriminator says ``label``."""
    chest = phantom()
    plain = truth_screener(chest.radiograph, chest.lung_boxes, label)
    sides = side_model(settings=TINY_SIDES.model_copy(update={"opacity": CALIBRATION}))
    sides.network.classify.weight.data.zero_()
    sides.network.classify.bias.data.fill_(logit)
    classes = class_model(settings=TINY_CLASSES.model_copy(update={"tells_types": tells_types}))
    classes.network.load_state_dict(plain.discriminator.network.state_dict())
    return CxrScreener(plain.boxes, classes, sides).screen(chest.radiograph)


class TestLungsFirst:
    def test_an_opacity_is_an_infection_whatever_the_class_network_says(self) -> None:
        case = lungs_first(2.0, "healthy").case
        assert case.verdict is not None
        assert case.cxr is not None
        assert case.verdict.label in ("covid19", "cap")
        assert case.cxr.location == "bipulmonary"
        assert case.verdict.infection is not None
        assert case.verdict.infection.probability == pytest.approx(1 / (1 + np.exp(-3.0)))
        assert case.verdict.infection.probability == max(case.cxr.sides.values())
        assert case.verdict.infection.calibrated_on == "twelve films"
        Case.from_json(case.to_json())

    def test_without_an_opacity_nothing_is_found_whatever_the_class_network_says(self) -> None:
        screening = lungs_first(-2.0, "covid19")
        case = screening.case
        assert case.verdict is not None
        assert case.cxr is not None
        assert (case.verdict.label, case.cxr.location, case.verdict.decided) == ("healthy", "none", True)
        assert set(case.cxr.sides) == set(screening.attention) == set(SIDES)
        Case.from_json(case.to_json())

    @pytest.mark.parametrize("logit", [-2.0, -1.01, -0.99, 0.0, 2.0])
    @pytest.mark.parametrize("label", CXR_CLASSES)
    def test_the_likeliest_class_is_that_of_the_verdict(self, logit: float, label: str) -> None:
        case = lungs_first(logit, label).case
        assert case.verdict is not None
        assert case.cxr is not None
        shares = case.cxr.probabilities
        assert shares == case.verdict.probability
        assert sum(shares.values()) == pytest.approx(1.0)
        assert case.verdict.label == max(shares, key=lambda name: shares[name])
        assert (case.verdict.label == "healthy") == (logit < -1.0)

    def test_a_type_is_decided_only_by_a_network_that_tells_types(self) -> None:
        told, untold = lungs_first(2.0, "cap").case.verdict, lungs_first(2.0, "cap", tells_types=False).case.verdict
        assert told is not None
        assert untold is not None
        assert (told.label, told.decided, untold.label, untold.decided) == ("cap", True, "cap", False)

    def test_grad_cam_is_of_the_network_that_the_verdict_begins_with(self) -> None:
        chest = phantom()
        plain = truth_screener(chest.radiograph, chest.lung_boxes, "covid19")
        settings = TINY_SIDES.model_copy(update={"opacity": CALIBRATION})
        screening = CxrScreener(plain.boxes, plain.discriminator, side_model(settings=settings)).screen(
            chest.radiograph
        )
        assert screening.case.cxr is not None
        for side, box in screening.case.cxr.boxes.items():
            x, y, w, h = box
            warm = screening.gradcam[round(y) : round(y + h), round(x) : round(x + w)].max()
            # What lies across an edge of the box, or between two pixels, is not in the picture.
            assert 0.5 * screening.case.cxr.sides[side] < warm <= screening.case.cxr.sides[side] + 1e-6

    def test_the_extent_is_measured_by_a_mask_that_was_taught_places(self) -> None:
        chest = phantom()
        plain = truth_screener(chest.radiograph, chest.lung_boxes, "covid19")
        settings = TINY_SIDES.model_copy(update={"opacity": CALIBRATION, "trunk": "efficientnet_lite0"})
        case = (
            CxrScreener(plain.boxes, plain.discriminator, side_model(settings=settings)).screen(chest.radiograph).case
        )
        assert case.cxr is not None
        assert case.cxr.opacity is not None
        assert case.cxr.severity is not None
        assert len(case.cxr.severity) == 6
        for side in SIDES:
            assert (case.cxr.opacity[side] > 0) == (case.cxr.sides[side] >= 0.5)
        Case.from_json(case.to_json())
        untaught = lungs_first(2.0).case.cxr
        assert untaught is not None
        assert untaught.severity is None

    def test_a_lung_that_nothing_speaks_against_stays_grey(self) -> None:
        assert not lungs_first(-2.0).gradcam.any()


class TestMaps:
    def test_have_the_pictures_size_and_nothing_outside_the_lungs_rectangle(self, screened: CxrScreening) -> None:
        shape = phantom().radiograph.pixels.shape
        assert screened.gradcam.shape == screened.superpixels.shape == shape
        assert screened.case.cxr is not None
        x, y, w, h = enclosing(list(screened.case.cxr.boxes.values()))
        outside = np.ones(shape, dtype=bool)
        outside[round(y) : round(y + h), round(x) : round(x + w)] = False
        assert outside.any()
        assert not screened.gradcam[outside].any()
        assert not screened.superpixels[outside].any()
        assert screened.superpixels[~outside].min() == 1
        assert screened.gradcam.dtype == np.float32
        assert 0.0 <= screened.gradcam.min() < screened.gradcam.max() <= 1.0

    def test_attention_is_a_mask_of_each_lung(self, screened: CxrScreening) -> None:
        for mask in screened.attention.values():
            assert mask.shape == (128, 64)
            assert 0.0 <= mask.min() < mask.max() <= 1.0

    def test_superpixels_are_numbered_though_the_network_has_no_use_for_them(self) -> None:
        chest = phantom()
        plain = truth_screener(chest.radiograph, chest.lung_boxes)
        one_channel = class_model(settings=TINY_CLASSES.model_copy(update={"superpixels": False}))
        found = CxrScreener(plain.boxes, one_channel, plain.localiser).screen(chest.radiograph)
        assert found.superpixels.max() > 10


class TestProgress:
    def test_stages_come_in_order(self) -> None:
        chest = phantom()
        told: list[tuple[str, float]] = []
        truth_screener(chest.radiograph, chest.lung_boxes).screen(
            chest.radiograph, lambda stage, done: told.append((stage, done))
        )
        assert [stage for stage, _ in told] == ["lungs", "classify", "report"]
        shares = [done for _, done in told]
        assert shares == sorted(shares)
        assert 0.0 < shares[0] < shares[-1] < 1.0

    @pytest.mark.parametrize("stage", ["lungs", "classify", "report"])
    def test_it_can_be_cancelled_at_every_stage(self, stage: str) -> None:
        chest = phantom()

        def cancel(reached: str, done: float) -> None:
            del done
            if reached == stage:
                raise Cancelled(reached)

        with pytest.raises(Cancelled, match=stage):
            truth_screener(chest.radiograph, chest.lung_boxes).screen(chest.radiograph, cancel)


class TestSides:
    def test_twice_is_the_same(self, screened: CxrScreening) -> None:
        chest = phantom()
        again = truth_screener(chest.radiograph, chest.lung_boxes).screen(chest.radiograph, draws=4)
        assert again.case.cxr == screened.case.cxr
        np.testing.assert_array_equal(again.gradcam, screened.gradcam)
        np.testing.assert_array_equal(again.superpixels, screened.superpixels)
        for side, mask in screened.attention.items():
            np.testing.assert_array_equal(again.attention[side], mask)
        assert again.judgement is not None
        assert screened.judgement is not None
        np.testing.assert_array_equal(again.judgement.samples, screened.judgement.samples)

    def test_a_mirror_image_exchanges_the_lungs(self, screened: CxrScreening) -> None:
        chest = phantom()
        image = mirrored(chest.radiograph)
        width = image.pixels.shape[1]
        other = {"left": "right", "right": "left"}
        boxes = {}
        for side in SIDES:
            x, y, w, h = chest.lung_boxes[side]
            boxes[other[side]] = (float(width - x - w), float(y), float(w), float(h))
        there = truth_screener(image, boxes).screen(image)
        assert there.case.cxr is not None
        assert screened.case.cxr is not None
        assert screened.case.cxr.sides["left"] != pytest.approx(screened.case.cxr.sides["right"], abs=1e-4)
        for side in SIDES:
            x, y, w, h = screened.case.cxr.boxes[side]
            np.testing.assert_allclose(there.case.cxr.boxes[other[side]], (width - x - w, y, w, h), atol=0.11)
            assert there.case.cxr.sides[other[side]] == pytest.approx(screened.case.cxr.sides[side], abs=1e-3)
            np.testing.assert_allclose(there.attention[other[side]], screened.attention[side][:, ::-1], atol=1e-3)

    def test_a_picture_without_lungs_is_refused(self) -> None:
        chest = phantom()
        exchanged = {"left": chest.lung_boxes["right"], "right": chest.lung_boxes["left"]}
        with pytest.raises(NoLungsError, match="frontal chest X-ray"):
            truth_screener(chest.radiograph, exchanged).screen(chest.radiograph)


class TestStore:
    def test_the_networks_in_use_are_named(self, tmp_path: Path) -> None:
        store = ModelStore(tmp_path)
        for name, model in zip(NETWORKS, (box_model(), class_model(), side_model()), strict=True):
            store.publish(name, model.state(), {"network": model.card_network(), **CARD})
        screener = CxrScreener.from_store(store, "cpu")
        case = screener.screen(phantom().radiograph).case
        assert set(case.models) == {"cxr_lung_boxes", "cxr_discrimination", "cxr_localization"}
        assert {info.version for info in case.models.values()} == {1}
        assert case.models["cxr_discrimination"].sha256 == store.load("cxr_discrimination").sha256
        assert case.notes[-1] == "What these weights have learnt from: lung boxes, class, lungs: none."

    def test_a_missing_network_is_one_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="cxr_lung_boxes"):
            CxrScreener.from_store(ModelStore(tmp_path), "cpu")


@pytest.mark.parametrize(
    ("left", "right", "label"), [(0.5, 0.1, "covid19"), (0.1, 0.5, "covid19"), (0.49, 0.49, "healthy")]
)
def test_the_likelier_lung_decides_whether_there_is_an_opacity(left: float, right: float, label: str) -> None:
    shares = {"covid19": 0.18, "healthy": 0.805, "cap": 0.015}
    said = Verdict("healthy", "softmax", shares, shares)
    found = screening._lungs_first(said, {"left": left, "right": right}, Calibration(0.0, 1.0, "tests"), True)
    assert found.label == label and found.infection is not None and found.infection.probability == max(left, right)
    # 0.18 of 0.195 and 0.17 of 0.19: from nine tenths on the type counts as decided.
    assert found.decided
    shares = {"covid19": 0.17, "healthy": 0.81, "cap": 0.02}
    less = screening._lungs_first(replace(said, probability=shares), {"left": left, "right": right},
                                  Calibration(0.0, 1.0, "tests"), True)  # fmt: skip
    assert less.decided == (label == "healthy")

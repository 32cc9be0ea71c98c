"""The case document: its JSON round trip, and that every breach of the contract is refused by its field's name."""

import ast
import contextlib
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.case_documents import CONTRACT, CONTRACT_1, RADIOGRAPH, RADIOGRAPH_1, cases, changed, junk, paths, version_1

from pneumoscreen import case as case_module
from pneumoscreen.case import (
    Case,
    ImageInfo,
    Patch,
    ReaderMark,
    Region,
    lps_to_ras,
    opinions,
)
from pneumoscreen.errors import CaseError
from pneumoscreen.verdict import Classes

SHIPPED = ("case.py", "case_changes.py", "case_fields.py", "case_kinds.py", "case_upgrade.py", "errors.py",
           "evidence.py", "xray_findings.py", "regions.py", "verdict.py")  # fmt: skip


class TestRoundTrip:
    @pytest.mark.parametrize("document", [CONTRACT, RADIOGRAPH], ids=["CT", "CXR"])
    def test_the_contract_comes_back_as_it_went_in(self, document: dict[str, Any]) -> None:
        assert Case.from_dict(document).to_dict() == document
        assert json.loads(Case.from_json(json.dumps(document)).to_json()) == document

    def test_fields_that_may_be_missing(self) -> None:
        needed = {name: CONTRACT[name] for name in ("schema", "case_id", "modality", "image", "regions")}
        found = Case.from_dict(needed)
        assert (found.verdict, found.diagnosis, found.lungs, found.notes) == (None, None, {}, ())

    def test_a_reader_who_is_not_quite_sure_is_kept(self) -> None:
        document = changed("regions.0.reader.confidence", 0.8)
        assert Case.from_dict(document).to_dict() == document

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_any_case_survives_json(self, data: st.DataObject) -> None:
        case = data.draw(cases())
        assert Case.from_json(case.to_json()) == case
        assert Case.from_json(case.to_json()).to_json() == case.to_json()


class TestVersion1:
    def test_a_ct_is_upgraded(self) -> None:
        case = Case.from_dict(CONTRACT_1)
        assert case.to_dict()["schema"] == "pneumoscreen.case/2"
        region = case.regions[0]
        assert (region.infected_ml, region.state) == (None, "accepted")
        assert case.verdict is not None
        assert (case.verdict.infection, case.verdict.decided) == (None, True)
        assert (case.image.source, case.image.study_uid, case.reading) == (None, None, None)
        assert case.lungs == Case.from_dict(CONTRACT).lungs

    @pytest.mark.parametrize(
        ("path", "value", "state"),
        [
            ("regions.0.reader", None, "open"),
            ("regions.0.reader.label", "irrelevant", "corrected"),
            ("regions.0.source", "reader", "corrected"),
        ],
    )
    def test_the_state_of_a_region_follows_from_its_reader(self, path: str, value: Any, state: str) -> None:
        assert Case.from_dict(changed(path, value, CONTRACT_1)).regions[0].state == state

    def test_whether_the_type_is_decided_follows_from_the_regions(self) -> None:
        other = {**CONTRACT_1["regions"][0], "id": "r2", "label": "influenza_a", "reader": None}
        document = changed("regions.0.reader", None, CONTRACT_1)
        document["regions"].append(other)
        verdict = Case.from_dict(document).verdict
        assert verdict is not None and not verdict.decided

    def test_a_region_of_version_1_counts_by_its_vote_alone(self) -> None:
        document = changed("regions.0.score", 0.01, changed("regions.0.reader", None, CONTRACT_1))
        verdict = Case.from_dict(document).with_verdict().verdict
        assert verdict is not None and verdict.label == "covid19"

    def test_boxes_are_those_of_a_model_where_one_is_named(self) -> None:
        sources = {box.source for box in Case.from_dict(RADIOGRAPH_1).cxr.lung_boxes.values()}  # type: ignore[union-attr]
        assert sources == {"model"}
        drawn = changed("cxr.reader", {"label": "cap", "name": "a", "at": "now"}, RADIOGRAPH_1)
        case = Case.from_dict(drawn)
        assert case.cxr is not None
        assert {box.source for box in case.cxr.lung_boxes.values()} == {"reader"}
        named = changed("models", {"cxr_lung_boxes": {"version": 1, "sha256": "x"}}, drawn)
        case = Case.from_dict(named)
        assert case.cxr is not None
        assert {box.source for box in case.cxr.lung_boxes.values()} == {"model"}
        assert case.cxr.boxes["left"] == (10.0, 20.0, 100.0, 200.0)

    def test_what_version_2_refuses_stays_readable(self) -> None:
        wrong = {"covid19": 0.91, "influenza_a": 0.5, "irrelevant": 0.09}
        case = Case.from_dict(changed("regions.0.patches.0.probabilities", wrong, CONTRACT_1))
        assert case.regions[0].patches[0].probabilities == {}
        verdict = {"label": "healthy", "rule": "softmax", "probability": {}, "confidence": {}}
        cxr = Case.from_dict(changed("verdict", verdict, RADIOGRAPH_1)).cxr
        assert cxr is not None and cxr.location == "none"
        wrong = {"covid19": 0.7, "healthy": 0.1, "cap": 0.7}
        cxr = Case.from_dict(changed("cxr.probabilities", wrong, RADIOGRAPH_1)).cxr
        assert cxr is not None and cxr.probabilities == {}

    @settings(max_examples=60, deadline=None)
    @given(st.data())
    def test_any_case_of_version_1_becomes_one_of_version_2(self, data: st.DataObject) -> None:
        case = data.draw(cases())
        old = Case.from_dict(version_1(case.to_dict()))
        assert Case.from_json(old.to_json()) == old
        assert old.case_id == case.case_id and len(old.regions) == len(case.regions)
        for was, now in zip(case.regions, old.regions, strict=True):
            assert (now.patches, now.opinion, now.infected_ml) == (was.patches, was.opinion, None)
            assert (now.state == "open") == (now.reader is None)


class TestRefusal:
    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("schema", "pneumoscreen.case/3"),
            ("case_id", ""),
            ("case_id", 7),
            ("case_id", "\ud800"),
            ("modality", "MR"),
            ("image", []),
            ("image.size", [512, 512]),
            ("image.size.0", 0),
            ("image.size.0", 511.5),
            ("image.spacing_mm", [0.7, 0.7, 0.0]),
            ("image.spacing_mm", [0.7, 0.7]),
            ("image.sha256", None),
            ("image.series_uid", 5),
            ("diagnosis", "irrelevant"),
            ("diagnosis", "cap"),
            ("lungs.left.volume_ml", -1.0),
            ("lungs.right.affected_percent", 100.5),
            ("lungs.right.affected_percent", math.nan),
            ("regions", None),
            ("regions", {}),
            ("regions.0.id", ""),
            ("regions.0.source", "robot"),
            ("regions.0.center_mm", [1.0, 2.0]),
            ("regions.0.center_mm.1", math.inf),
            ("regions.0.center_mm.1", "2"),
            ("regions.0.center_mm.1", 10**400),
            ("regions.0.size_mm", [1.0, 0.0, 1.0]),
            ("regions.0.size_mm.2", -1.0),
            ("regions.0.score", 1.01),
            ("regions.0.score", True),
            ("regions.0.side", "both"),
            ("regions.0.patches", "none"),
            ("regions.0.patches.0.slice", -1),
            ("regions.0.patches.0.slice", 41.0),
            ("regions.0.patches.0.label", "no_infection_found"),
            ("regions.0.patches.0.confidence", -0.1),
            ("regions.0.patches.0.distance_from_edge", 1.5),
            ("regions.0.patches.0.probabilities.covid19", 2),
            ("regions.0.label", "plague"),
            ("regions.0.label", None),
            ("regions.0.confidence", None),
            ("regions.0.confidence", 1.2),
            ("regions.0.reader.label", "no_infection_found"),
            ("regions.0.reader.name", ""),
            ("regions.0.reader.confidence", 1.5),
            ("regions.0.reader.at", None),
            ("regions.0.infected_ml", -0.1),
            ("regions.0.infected_ml", "much"),
            ("regions.0.state", "closed"),
            ("regions.0.patches.0.probabilities", {"covid19": 0.91, "influenza_a": 0.5, "irrelevant": 0.09}),
            ("regions.0.patches.0.probabilities", {"covid19": 0.5, "influenza_a": 0.2, "irrelevant": 0.2}),
            ("regions.0.patches.0.probabilities", {"covid19": 0.8, "influenza_a": 0.3}),
            ("image.source", 3),
            ("image.study_uid", ""),
            ("verdict.decided", "yes"),
            ("verdict.infection", 0.9),
            ("verdict.infection.probability", 1.1),
            ("verdict.infection.calibrated_on", None),
            ("verdict.infection.slope", -1.0),
            ("reading.seconds", -1.0),
            ("reading.model_shown", 1),
            ("verdict.label", "irrelevant"),
            ("verdict.rule", "majority"),
            ("verdict.probability.covid19", 1.5),
            ("verdict.confidence.covid19", -1),
            ("models.ct_candidates.version", "3"),
            ("models.ct_candidates.version", -1),
            ("models.ct_candidates.sha256", ""),
            ("timings_s.read", -0.1),
            ("notes.0", 3),
            ("notes", "text"),
        ],
    )
    def test_a_bad_value_is_refused_by_its_field(self, path: str, value: Any) -> None:
        with pytest.raises(CaseError) as refusal:
            Case.from_dict(changed(path, value))
        assert re.sub(r"\.(\d+)", r"[\1]", path) in str(refusal.value)
        assert "\n" not in str(refusal.value)

    @pytest.mark.parametrize(
        "path",
        ["extra", "image.extra", "lungs.middle", "lungs.left.extra", "regions.0.extra", "regions.0.patches.0.extra",
         "regions.0.patches.0.probabilities.extra", "regions.0.reader.extra", "verdict.extra",
         "verdict.probability.extra", "models.ct_candidates.extra", "verdict.infection.extra", "reading.extra"],
    )  # fmt: skip
    def test_an_unknown_field_is_refused_by_name(self, path: str) -> None:
        with pytest.raises(CaseError, match="is not part of") as refusal:
            Case.from_dict(changed(path, 1))
        assert path.replace(".0", "[0]") in str(refusal.value)

    @pytest.mark.parametrize("field", ["schema", "case_id", "modality", "image", "regions"])
    def test_a_missing_field_is_named(self, field: str) -> None:
        document = {name: value for name, value in CONTRACT.items() if name != field}
        with pytest.raises(CaseError, match=f"field {field} is missing"):
            Case.from_dict(document)

    def test_two_regions_of_one_name(self) -> None:
        with pytest.raises(CaseError, match=r"regions\[1\].id repeats 'r1'"):
            Case.from_dict(changed("regions", CONTRACT["regions"] * 2))

    def test_a_region_that_a_reader_drew_names_its_reader(self) -> None:
        document = changed("regions.0.source", "reader")
        document["regions"][0]["reader"] = None
        with pytest.raises(CaseError, match=r"regions\[0\].reader is missing"):
            Case.from_dict(document)

    @pytest.mark.parametrize(("path", "value"), [("cxr", RADIOGRAPH["cxr"])])
    def test_a_ct_has_no_xray_findings(self, path: str, value: Any) -> None:
        with pytest.raises(CaseError, match="cxr belongs to an X-ray"):
            Case.from_dict(changed(path, value))

    @pytest.mark.parametrize("field", ["regions", "lungs"])
    def test_a_radiograph_has_no_regions(self, field: str) -> None:
        with pytest.raises(CaseError, match=f"field {field} belongs to a CT"):
            Case.from_dict(changed(field, CONTRACT[field], RADIOGRAPH))

    @pytest.mark.parametrize(
        "path",
        ["cxr.location", "cxr.sides.left", "cxr.lung_boxes.left", "cxr.lung_boxes.left.box", "cxr.probabilities.cap",
         "cxr.lung_boxes.right.source", "cxr.opacity.left", "cxr.severity"],
    )  # fmt: skip
    def test_radiograph_fields_are_checked(self, path: str) -> None:
        with pytest.raises(CaseError) as refusal:
            Case.from_dict(changed(path, "everywhere", RADIOGRAPH))
        assert path in str(refusal.value)

    def test_radiograph_probabilities_that_cannot_be_are_refused(self) -> None:
        with pytest.raises(CaseError, match=r"cxr.probabilities must sum to 1, not to 1\.5"):
            Case.from_dict(changed("cxr.probabilities", {"covid19": 0.7, "healthy": 0.1, "cap": 0.7}, RADIOGRAPH))

    def test_a_healthy_radiograph_has_no_affected_side(self) -> None:
        verdict = {"label": "healthy", "rule": "softmax", "probability": {}, "confidence": {}}
        document = changed("cxr.location", "bipulmonary", changed("verdict", verdict, RADIOGRAPH))
        with pytest.raises(CaseError, match=r"cxr.location must be none .*, not 'bipulmonary'"):
            Case.from_dict(document)
        said = {"label": "healthy", "location": "left", "name": "a", "at": "now"}
        with pytest.raises(CaseError, match=r"cxr.reader.location must be none"):
            Case.from_dict(changed("cxr.reader", said, RADIOGRAPH))

    def test_the_verdict_of_a_radiograph_is_its_likeliest_class(self) -> None:
        verdict = {"label": "covid19", "rule": "none", "probability": {"covid19": 0.8, "cap": 0.7}, "confidence": {}}
        case, notes = Case.from_dict(changed("verdict", verdict, RADIOGRAPH)).derived()
        assert case.verdict is not None and case.cxr is not None
        assert (case.verdict.label, case.verdict.rule) == ("cap", "softmax")
        assert case.verdict.probability == case.verdict.confidence == RADIOGRAPH["cxr"]["probabilities"]
        assert notes == ("The verdict is cap, not covid19, by the probabilities of the classes.",)
        assert case.derived() == (case, ())

    def test_classes_as_likely_as_each_other_leave_the_verdict(self) -> None:
        shares = {"covid19": 0.4, "healthy": 0.2, "cap": 0.4}
        verdict = {"label": "cap", "rule": "softmax", "probability": shares, "confidence": {"cap": 0.9}}
        document = changed("cxr.probabilities", shares, changed("verdict", verdict, RADIOGRAPH))
        case, notes = Case.from_dict(document).derived()
        assert case.verdict is not None
        assert (case.verdict.label, case.verdict.confidence) == ("cap", shares)
        assert notes == ("The confidence of the verdict was taken anew from the probabilities of the classes.",)

    @pytest.mark.parametrize(
        ("shares", "sides", "said", "location"),
        [
            ((0.2, 0.1, 0.7), {"left": 0.9, "right": 0.1}, "bipulmonary", "left"),
            ((0.2, 0.1, 0.7), {"left": 0.9, "right": 0.5}, "none", "bipulmonary"),
            ((0.2, 0.1, 0.7), {"left": 0.4, "right": 0.1}, "right", "none"),
            ((0.2, 0.7, 0.1), {"left": 0.9, "right": 0.1}, "bipulmonary", "none"),  # likeliest healthy
            ((0.2, 0.7, 0.1), {}, "bipulmonary", "none"),
            ((0.2, 0.1, 0.7), {}, "right", "right"),  # nothing to tell it from
            ((0.2, 0.1, 0.7), {"left": 0.9}, "right", "right"),
        ],
    )
    def test_the_location_is_that_of_the_lungs_that_count(
        self, shares: tuple[float, ...], sides: dict[str, float], said: str, location: str
    ) -> None:
        known = dict(zip(("covid19", "healthy", "cap"), shares, strict=True))
        document = changed("cxr.location", said, changed("cxr.sides", sides, RADIOGRAPH))
        case, notes = Case.from_dict(changed("cxr.probabilities", known, document)).derived()
        assert case.cxr is not None and case.cxr.location == location
        told = f"The location is {location}, not {said}, by the probabilities of the lungs and the verdict."
        assert notes == (() if said == location else (told,))

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", "null", "7", '"x"', "[" * 100_000, '{"schema": NaN}', '{"timings_s": {"\\ud800": 1}}']
    )
    def test_what_is_no_document_is_refused(self, text: str) -> None:
        with pytest.raises(CaseError):
            Case.from_json(text)

    @settings(max_examples=300, deadline=None)
    @given(st.data())
    def test_anything_in_place_of_a_field_is_refused_or_read(self, data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(sorted(paths(CONTRACT))))
        document = changed(path, data.draw(junk))
        # Any other error than a refusal fails the test; what is read must also be writable.
        with contextlib.suppress(CaseError):
            Case.from_json(json.dumps(document)).to_json().encode("utf-8")

    @pytest.mark.parametrize("document", [CONTRACT_1, RADIOGRAPH, RADIOGRAPH_1])
    @settings(max_examples=150, deadline=None)
    @given(st.data())
    def test_anything_is_refused_or_read_in_other_documents(
        self, document: dict[str, Any], data: st.DataObject
    ) -> None:
        path = data.draw(st.sampled_from(sorted(paths(document))))
        broken = changed(path, data.draw(junk), document)
        with contextlib.suppress(CaseError):
            Case.from_json(json.dumps(broken)).to_json().encode("utf-8")

    def test_labels_follow_the_class_list_of_the_site(self) -> None:
        site = Classes(("rsv", "hmpv"), "other", "clear")
        with pytest.raises(CaseError, match=r"regions\[0\].patches\[0\].label must be one of rsv, hmpv, other"):
            Case.from_dict(CONTRACT, site)


class TestVerdictOfACase:
    def region(self, **values: Any) -> Region:
        base = Region("r1", "model", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 0.5, "left", label="covid19", confidence=0.9)
        return Region(**{**vars(base), **values})

    def test_the_vote_of_the_patches_becomes_the_label(self) -> None:
        patches = (Patch(1, "covid19", 0.4, 0.1), Patch(2, "irrelevant", 0.9, 0.1), Patch(3, "covid19", 0.5, 0.1))
        voted = self.region(patches=patches).with_vote()
        assert (voted.label, voted.confidence) == ("covid19", 0.5)

    def test_a_reader_overrides_the_vote(self) -> None:
        marked = self.region(reader=ReaderMark("irrelevant", "reader-a", "2026-11-22T10:00:00Z"))
        assert marked.opinion == ("irrelevant", 1.0)
        case = Case("c", "CT", ImageInfo((1, 1, 8), (1.0, 1.0, 1.0), "x"), regions=(marked,))
        assert case.with_verdict().verdict.label == "no_infection_found"  # type: ignore[union-attr]

    def test_a_region_that_nobody_labelled_does_not_count(self) -> None:
        assert opinions([self.region(label=None, confidence=None), self.region()]) == [("covid19", 0.9)]


class TestCoordinates:
    def test_left_and_back_change_their_sign(self) -> None:
        assert lps_to_ras((1.0, 2.0, 3.0)) == (-1.0, -2.0, 3.0)

    def test_zero_stays_positive_zero(self) -> None:
        assert [math.copysign(1.0, value) for value in lps_to_ras((0.0, 0.0, 0.0))] == [1.0, 1.0, 1.0]

    @given(st.tuples(*[st.floats(-1e6, 1e6)] * 3))
    def test_is_its_own_inverse(self, point: tuple[float, float, float]) -> None:
        assert lps_to_ras(lps_to_ras(point)) == point


def test_the_contract_modules_are_python_3_9() -> None:
    for name in SHIPPED:
        text = Path(case_module.__file__).with_name(name).read_text(encoding="utf-8")
        ast.parse(text, feature_version=(3, 9))

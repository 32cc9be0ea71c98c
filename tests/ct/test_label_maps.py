"""A stock client's label map as regions: where they lie, what they are called, and what became of the model's."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from pneumoscreen.case import Case, Region
from pneumoscreen.ct.label_maps import (
    NOTE,
    SideOf,
    case_from_label_map,
    number_of,
    sides_of,
)
from pneumoscreen.ct.lungs.segmentation import Lungs, segment_lungs
from pneumoscreen.ct.phantoms.phantom import PhantomSpec, generate_phantom
from pneumoscreen.errors import CaseError
from pneumoscreen.images.mask_file import read_label_map
from pneumoscreen.images.volume import LEFT, RIGHT, Volume
from pneumoscreen.studies.marks import Painting
from pneumoscreen.verdict import DEFAULT_CLASSES

READER, AT = "reader-a", "2026-11-24T10:00:00Z"
ORIENTATIONS = ["LPS", "RAI", "PIR", "ASL", "RPS", "LAI"]


@pytest.fixture(scope="module")
def volume() -> Volume:
    return generate_phantom(3, "covid19", PhantomSpec(matrix=96, slices=24)).volume


@pytest.fixture(scope="module")
def lungs(volume: Volume) -> Lungs:
    return segment_lungs(volume)


@pytest.fixture(scope="module")
def flesh() -> Volume:
    """A scan without lungs, spacing 2 x 2 x 5 mm: sides go by its middle."""
    hu = np.full((20, 64, 64), 40, dtype=np.int16)
    return Volume(hu, (2.0, 2.0, 5.0), (-60.0, -70.0, 10.0), np.eye(3), "flesh", Path("flesh"), "0" * 64)


def known_case(volume: Volume, *boxes: tuple[int, ...], labels: tuple[str | None, ...] = ()) -> Case:
    """A screening whose regions have these index boxes of whole voxels [z0, y0, x0, z1, y1, x1], ends exclusive."""
    regions = []
    for i, box in enumerate(boxes):
        center, size = volume.box_to_mm(np.array(box) - 0.5)
        label = labels[i] if i < len(labels) else "covid19"
        regions.append(
            Region(f"r{i + 1}", "model", tuple(center), tuple(size), 0.9, "left", (), label, 0.8 if label else None)
        )
    return Case("ct-1", "CT", volume.image_info(), regions=tuple(regions)).with_verdict()


def painted(volume: Volume, **boxes: tuple[int, ...]) -> np.ndarray:
    values = np.zeros(volume.hu.shape, np.uint16)
    for name, (z0, y0, x0, z1, y1, x1) in boxes.items():
        values[z0:z1, y0:y1, x0:x1] = int(name[1:])
    return values


def document(
    volume: Volume,
    values: np.ndarray,
    names: dict[int, str] | None = None,
    known: Case | None = None,
    diagnosis: str | None = None,
    shown: set[int] | None = None,
    side_of: SideOf | None = None,
) -> Case:
    painting = Painting(values, names or {}, READER, AT)
    case = Case("ct-1", "CT", volume.image_info(), diagnosis)
    made = case_from_label_map(painting, volume, case, known, side_of or sides_of(volume), DEFAULT_CLASSES, shown)
    assert Case.from_json(made.to_json()) == made, "it keeps to the contract"
    return made


def test_a_segment_of_a_class_is_a_region_in_millimetres(flesh: Volume) -> None:
    (region,) = document(flesh, painted(flesh, v1=(4, 10, 40, 8, 20, 50)), {1: "covid19"}).regions
    # Voxels 40 to 49 of 2 mm from -60 mm: 20 to 38 mm at their centres.
    assert region.center_mm == (29.0, -41.0, 37.5)
    assert region.size_mm == (20.0, 20.0, 20.0)
    assert (region.id, region.source, region.side, region.score) == ("r1", "reader", "left", 1.0)
    assert region.reader is not None
    assert (region.reader.label, region.reader.name, region.reader.at) == ("covid19", READER, AT)
    assert (region.infected_ml, region.state) == (pytest.approx(8.0), "corrected")


def test_the_verdict_follows_and_a_note_says_where_it_came_from(flesh: Volume) -> None:
    case = document(flesh, painted(flesh, v1=(4, 10, 40, 8, 20, 50)), {1: "Influenza A"})
    assert case.verdict is not None and case.verdict.label == "influenza_a"
    assert NOTE in case.notes


def test_pieces_clearly_apart_are_regions_of_their_own(flesh: Volume) -> None:
    values = painted(flesh, v1=(4, 10, 10, 8, 20, 20))
    values[4:8, 10:20, 22:26] = 1  # 4 mm aside: of the same lesion
    values[14:18, 10:20, 10:20] = 1  # 30 mm higher
    values[4:8, 10:20, 50:60] = 1  # in the other half
    regions = document(flesh, values, {1: "covid19"}).regions
    assert [r.size_mm for r in regions] == [(32.0, 20.0, 20.0), (20.0, 20.0, 20.0), (20.0, 20.0, 20.0)]
    assert [r.side for r in regions] == ["right", "left", "right"]
    assert [r.id for r in regions] == ["r1", "r2", "r3"]
    # What was painted, not the box around it.
    assert [r.infected_ml for r in regions] == pytest.approx([11.2, 8.0, 8.0])


def test_a_region_that_was_left_alone_keeps_what_the_model_said_of_it(flesh: Volume) -> None:
    box, other = (4, 10, 10, 8, 20, 20), (10, 30, 40, 14, 50, 50)
    known = known_case(flesh, box, other, labels=("influenza_a", "irrelevant"))
    # The label map of a screening shows infected voxels within a box, not the box.
    values = painted(flesh, v1=(5, 12, 12, 7, 18, 18), v2=other)
    for names in ({}, {1: "region 1", 2: "region 2"}):
        case = document(flesh, values, names, known)
        assert [replace(r, reader=None, state="open") for r in case.regions] == list(known.regions)
        assert [r.reader.label for r in case.regions if r.reader] == ["influenza_a", "irrelevant"]


def test_names_go_before_numbers(flesh: Volume) -> None:
    """Slicer numbers the segments anew: with region 1 removed, region 2 has value 1."""
    boxes = (4, 10, 10, 8, 20, 20), (10, 30, 40, 14, 50, 50)
    known = known_case(flesh, *boxes, labels=("influenza_a", "covid19"))
    case = document(flesh, painted(flesh, v1=boxes[1]), {1: "region 2"}, known)
    assert [(r.id, r.reader.label if r.reader else None) for r in case.regions] == [
        ("r1", "irrelevant"),
        ("r2", "covid19"),
    ]


def test_a_redrawn_region_loses_what_was_said_of_its_old_box(flesh: Volume) -> None:
    known = known_case(flesh, (4, 10, 10, 8, 20, 20))
    (region,) = document(flesh, painted(flesh, v1=(4, 10, 10, 8, 20, 26)), {1: "region 1"}, known).regions
    assert (region.id, region.source, region.label, region.size_mm[0]) == ("r1", "reader", None, 32.0)
    assert region.infected_ml == pytest.approx(12.8)
    assert region.reader is not None and region.reader.label == "covid19"


def test_a_removed_region_is_irrelevant_unless_it_was_never_shown(flesh: Volume) -> None:
    boxes = (4, 10, 10, 8, 20, 20), (4, 12, 12, 8, 18, 18), (10, 30, 40, 14, 50, 50)
    known = known_case(flesh, *boxes)
    values = painted(flesh, v1=boxes[0])
    case = document(flesh, values, {1: "region 1"}, known, shown={1, 3})
    assert [(r.id, r.reader.label if r.reader else None) for r in case.regions] == [
        ("r1", "covid19"),
        ("r3", "irrelevant"),
    ]
    everything = document(flesh, np.zeros(flesh.hu.shape, np.uint16), {}, known)
    assert [r.reader.label for r in everything.regions if r.reader] == ["irrelevant"] * 3
    assert everything.verdict is not None and everything.verdict.label == "no_infection_found"


def test_new_segments_beside_known_regions(flesh: Volume) -> None:
    known = known_case(flesh, (4, 10, 10, 8, 20, 20))
    values = painted(flesh, v1=(4, 10, 10, 8, 20, 20), v2=(10, 30, 40, 14, 50, 50))
    case = document(flesh, values, {1: "region 1", 2: "covid19"}, known)
    assert [(r.id, r.source) for r in case.regions] == [("r1", "model"), ("r2", "reader")]


def test_a_map_drawn_from_nothing_stands_alone(flesh: Volume) -> None:
    known = known_case(flesh, (4, 10, 10, 8, 20, 20))
    (region,) = document(flesh, painted(flesh, v1=(10, 30, 40, 14, 50, 50)), {1: "covid19"}, known).regions
    assert (region.id, region.source) == ("r2", "reader")


def test_what_has_no_name_takes_the_diagnosis_or_is_refused(flesh: Volume) -> None:
    values = painted(flesh, v7=(4, 10, 10, 8, 20, 20))
    (region,) = document(flesh, values, {}, None, "influenza_a").regions
    assert region.reader is not None and region.reader.label == "influenza_a"
    assert document(flesh, values, {7: "Segment_1"}, None, "covid19").regions
    for diagnosis in (None, "no_infection_found"):
        with pytest.raises(CaseError, match=r"value 7 .* name the segment covid19, influenza_a, irrelevant, or 'reg"):
            document(flesh, values, {}, None, diagnosis)
    known = known_case(flesh, *[(4, 10, 10, 8, 20, 20)] * 7)
    with pytest.raises(CaseError, match="segment 'Segment_7'"):
        document(flesh, values, {7: "Segment_7"}, known)
    unlabelled = known_case(flesh, *[(4, 10, 10, 8, 20, 20)] * 7, labels=(None,) * 7)
    with pytest.raises(CaseError, match="value 7"):
        document(flesh, values, {}, unlabelled)
    assert document(flesh, values, {}, unlabelled, "covid19").regions[6].source == "model"


def test_specks_without_number_are_refused(flesh: Volume) -> None:
    values = np.zeros(flesh.hu.shape, np.uint16)
    values[::4, ::8, ::8] = 1
    with pytest.raises(CaseError, match="more than 200"):
        document(flesh, values, {1: "covid19"})


@settings(max_examples=25, deadline=None)
@given(
    orientation=st.sampled_from(ORIENTATIONS),
    ending=st.sampled_from([".nii.gz", ".nrrd"]),
    side=st.sampled_from(["left", "right"]),
    depth=st.integers(4, 18),
    number=st.integers(1, 300),
)
def test_left_is_the_patients_left_however_the_file_is_turned(
    volume: Volume, lungs: Lungs, tmp_path_factory: pytest.TempPathFactory, orientation: str, ending: str, side: str,
    depth: int, number: int,
) -> None:  # fmt: skip
    stored = replace(volume, stored_orientation=orientation)
    values = np.zeros(volume.hu.shape, np.uint16)
    inside = np.argwhere(lungs.labels[depth] == (LEFT if side == "left" else RIGHT))
    if not len(inside):
        return
    y, x = inside[len(inside) // 2]
    values[depth : depth + 2, y - 1 : y + 2, x - 2 : x + 1] = number
    path = tmp_path_factory.mktemp("maps") / f"map{ending}"
    sitk.WriteImage(stored.to_sitk(values), path)
    (region,) = document(stored, read_label_map(path, stored), {number: "covid19"}, side_of=lungs.side_of).regions
    assert region.side == side
    center = volume.index_to_mm(np.array([depth + 0.5, y, x - 1.0]))
    assert np.allclose(region.center_mm, center, atol=1e-3)
    assert np.allclose(region.size_mm, np.array([3, 3, 2]) * volume.spacing_mm, atol=1e-6)
    assert (region.center_mm[0] > 0) == (side == "left"), "the phantom's middle is at 0 and LPS grows to the left"


def test_sides_come_from_the_lungs_where_there_are_any(volume: Volume, lungs: Lungs) -> None:
    side_of = sides_of(volume)
    for side, value in (("left", LEFT), ("right", RIGHT)):
        z, y, x = np.argwhere(lungs.labels == value).mean(axis=0)
        assert side_of(np.array([z - 1, y - 1, x - 1, z + 1, y + 1, x + 1])) == side


def test_a_map_that_does_not_fit_the_image_is_refused(flesh: Volume, tmp_path: Path) -> None:
    good = flesh.to_sitk(painted(flesh, v1=(4, 10, 10, 8, 20, 20)))
    moved = sitk.Image(good)
    moved.SetOrigin((0.0, 0.0, 0.0))
    faults = {
        "moved.nrrd": moved,
        "small.nrrd": good[:-1],
        "grey.nrrd": sitk.Cast(good, sitk.sitkFloat32) * 0.37,
        "negative.nii.gz": sitk.Cast(good, sitk.sitkInt16) * -1,
        "colours.nrrd": sitk.Compose(good, good),
    }
    for name, image in faults.items():
        sitk.WriteImage(image, tmp_path / name)
    (tmp_path / "text.nrrd").write_text("no image")
    (tmp_path / "cut.nii.gz").write_bytes((tmp_path / "negative.nii.gz").read_bytes()[:100])
    (tmp_path / "empty.nrrd").write_bytes(b"")
    (tmp_path / "elsewhere.nrrd").write_text(
        "NRRD0004\ntype: uint16\ndimension: 3\nspace: left-posterior-superior\nsizes: 64 64 20\n"
        "space directions: (2,0,0) (0,2,0) (0,0,5)\nencoding: raw\nendian: little\ndata file: /etc/passwd\n\n"
    )
    for path in tmp_path.iterdir():
        with pytest.raises(CaseError, match="the label map cannot be used") as refused:
            read_label_map(path, flesh)
        assert str(tmp_path) not in str(refused.value)


def test_only_numbered_regions_have_a_value(flesh: Volume) -> None:
    region = known_case(flesh, (4, 10, 10, 8, 20, 20)).regions[0]
    assert [number_of(replace(region, id=name)) for name in ("r3", "region 4", "t1", "r", "reader")] == [
        3,
        4,
        None,
        None,
        None,
    ]

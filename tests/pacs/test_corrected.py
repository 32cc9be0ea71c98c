"""The objects about a document that a reader corrected: on what the screening marked, and without a screening."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scripts.phantom_files import write_xray

from pneumoscreen.ct.phantoms.phantom import Phantom
from pneumoscreen.ct.phantoms.studies import truth_document
from pneumoscreen.cxr.phantoms.radiograph import generate_radiograph
from pneumoscreen.errors import ImageError
from pneumoscreen.images import read_volume
from pneumoscreen.pacs.about import About
from pneumoscreen.pacs.corrected import objects_about, read_marked
from pneumoscreen.verdict import DEFAULT_CLASSES

from .conftest import film_case
from .test_segmentation import masks_of


def test_segments_lie_on_what_the_screening_marked(
    about_of: Callable[..., About], phantom: Phantom, tmp_path: Path
) -> None:
    about_of(tmp_path / "ct")
    infection = phantom.infection > 0
    np.savez_compressed(tmp_path / "marked.npz", lungs=phantom.lungs, infection=infection)
    marked = read_marked(tmp_path / "marked.npz")
    case = replace(truth_document(phantom), case_id="study-1")
    made = objects_about(case, tmp_path / "ct", marked, DEFAULT_CLASSES, "Reader A", ["1.2.3", "1.2.4"])
    assert list(made) == ["seg", "sr", "pdf", "sc"]
    masks = masks_of(made["seg"], read_volume(tmp_path / "ct"))
    named = {str(item.SegmentLabel): masks[int(item.SegmentNumber)] for item in made["seg"].SegmentSequence}
    assert np.array_equal(named["Infection, both lungs"], infection)
    assert np.array_equal(named["Left lung"], phantom.lungs == 1)
    before = made["sr"].PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert [str(item.ReferencedSOPInstanceUID) for item in before] == ["1.2.3", "1.2.4"]
    assert [str(item.PersonName) for item in made["sr"].ContentSequence if "PersonName" in item] == ["Reader A^"]
    again = objects_about(case, tmp_path / "ct", marked, DEFAULT_CLASSES, "Reader A", [])
    assert again["sr"].SOPInstanceUID != made["sr"].SOPInstanceUID, "settled as it was before: it is new all the same"
    assert again["sr"].SeriesInstanceUID == made["sr"].SeriesInstanceUID


def test_without_a_screening_the_lungs_are_found(about_of: Callable[..., About], tmp_path: Path) -> None:
    from pneumoscreen.ct.phantoms.phantom import PhantomSpec, generate_phantom

    phantom = generate_phantom(4, "covid19", PhantomSpec(matrix=128, slices=30))
    about_of(tmp_path / "ct", phantom.volume)
    (tmp_path / "marked.npz").write_bytes(b"PK damaged")
    case = replace(truth_document(phantom), case_id="study-1")
    marked = read_marked(tmp_path / "marked.npz")
    assert marked == {} == read_marked(tmp_path / "none.npz")
    made = objects_about(case, tmp_path / "ct", marked, DEFAULT_CLASSES, "", [])
    labels = [str(item.SegmentLabel) for item in made["seg"].SegmentSequence]
    assert labels[:2] == ["Left lung", "Right lung"] and "Infection, both lungs" not in labels


def test_an_xray(tmp_path: Path) -> None:
    radiograph = generate_radiograph(12, "covid19").radiograph
    write_xray(radiograph, tmp_path / "film" / "1.dcm")
    case = replace(film_case(), case_id="study-2")
    marked = {"gradcam": np.zeros(radiograph.pixels.shape, np.float32)}
    made = objects_about(case, tmp_path / "film", marked, DEFAULT_CLASSES, "Reader A", [])
    assert list(made) == ["sr", "pdf", "sc"]
    with pytest.raises(ImageError, match="one of another kind of image"):
        objects_about(replace(case, modality="CT", cxr=None), tmp_path / "film", {}, DEFAULT_CLASSES, "", [])

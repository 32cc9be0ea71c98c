"""What a submission takes over from the document that it was made from, and what a client calls its segments."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pneumoscreen.case import Case, ImageInfo, Reading
from pneumoscreen.errors import CaseError
from pneumoscreen.images.volume import Volume
from pneumoscreen.methods import method_for
from pneumoscreen.server.store.submissions import _without_regions, segment_names


def test_how_long_another_reader_took_does_not_go_into_the_document_of_a_label_map() -> None:
    hu = np.zeros((8, 16, 16), dtype=np.int16)
    volume = Volume(hu, (2.0, 2.0, 5.0), (0.0, 0.0, 0.0), np.eye(3), "a", Path("a"), "00", source_below="a.nii.gz")
    known = Case("a", "CT", ImageInfo((16, 16, 8), (2.0, 2.0, 5.0), "00"), "covid19", reading=Reading(60.0, True))
    made = _without_regions("a", method_for("CT"), volume, known, None)
    assert made.reading is None and made.image.source == "a.nii.gz"
    assert made == replace(known, reading=None, image=volume.image_info())


def test_slicers_names_are_matched_to_its_values() -> None:
    def info(*pairs: tuple[str, object]) -> list[dict[str, object]]:
        return [{"name": name, "idx": number, "color": [1, 2, 3]} for name, number in pairs]

    assert segment_names(None, [1, 2]) == {}
    assert segment_names(info(("a", 1), ("b", 2)), [1, 2]) == {1: "a", 2: "b"}
    assert segment_names(info(("a", 1), ("b", 5)), [5]) == {1: "a", 5: "b"}, "the client's own numbers"
    assert segment_names(info(("a", 2), ("b", 3)), [1, 2]) == {1: "a", 2: "b"}, "Slicer left its first segment out"
    assert segment_names([{"name": "a"}, {"name": "b"}], [2]) == {1: "a", 2: "b"}
    assert segment_names([{"color": 3}], [1]) == {}
    with pytest.raises(CaseError, match="label_info numbers its segments with gaps"):
        segment_names(info(("a", 2), ("b", 3)), [2])
    for wrong in ({"name": "a"}, "a", [1], 3):
        with pytest.raises(CaseError, match="label_info must be a list"):
            segment_names(wrong, [1])

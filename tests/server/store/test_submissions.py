"""What a submission takes over from the document that it was made from."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from pneumoscreen.case import Case, ImageInfo, Reading
from pneumoscreen.images.volume import Volume
from pneumoscreen.server.store.submissions import _without_regions


def test_how_long_another_reader_took_does_not_go_into_the_document_of_a_label_map() -> None:
    hu = np.zeros((8, 16, 16), dtype=np.int16)
    volume = Volume(hu, (2.0, 2.0, 5.0), (0.0, 0.0, 0.0), np.eye(3), "a", Path("a"), "00", source_below="a.nii.gz")
    known = Case("a", "CT", ImageInfo((16, 16, 8), (2.0, 2.0, 5.0), "00"), "covid19", reading=Reading(60.0, True))
    made = _without_regions("a", volume, known, None)
    assert made.reading is None and made.image.source == "a.nii.gz"
    assert made == replace(known, reading=None, image=volume.image_info())

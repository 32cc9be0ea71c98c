"""Case documents for the tests of the annotation store."""

from collections.abc import Sequence

from pneumoscreen.case import Case, ImageInfo, ReaderMark, Region

SIZE, SPACING = (64, 64, 20), (2.0, 2.0, 5.0)


def document(
    case_id: str = "ct-1",
    reader: str = "reader-a",
    label: str = "covid19",
    at: str = "2026-11-24T10:00:00Z",
    notes: Sequence[str] = (),
) -> Case:
    """A CT document with one region that a reader drew."""
    mark = ReaderMark(label, reader, at)
    region = Region("r1", "reader", (10.0, 20.0, 30.0), (20.0, 20.0, 20.0), 1.0, "left", reader=mark)
    image = ImageInfo(SIZE, SPACING, "0" * 64)
    return Case(case_id, "CT", image, "covid19", regions=(region,), notes=tuple(notes)).with_verdict()

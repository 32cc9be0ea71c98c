"""Whose marks a document carries, and that nobody's name is put under another's words."""

from dataclasses import replace

from pneumoscreen.case import Case, Cxr, ImageInfo, ReaderMark
from pneumoscreen.studies.marks import author_of, marks_of, newest_reader, signed_by

from .conftest import document


def marked(*marks: tuple[str, str]) -> Case:
    """A document with a region for each (reader, time)."""
    (region,) = document().regions
    regions = [
        replace(region, id=f"r{i}", reader=ReaderMark("covid19", name, at)) for i, (name, at) in enumerate(marks)
    ]
    return replace(document(), regions=tuple(regions))


def radiograph(reader: dict[str, object] | None) -> Case:
    cxr = Cxr({}, {"covid19": 1.0}, {"left": 1.0}, "left", reader)
    return Case("x-1", "CXR", ImageInfo((64, 64), (1.0, 1.0), "0"), cxr=cxr)


def test_the_author_is_the_one_whose_marks_are_new() -> None:
    old, both = marked(("a", "1")), marked(("a", "1"), ("b", "2"))
    assert author_of(both) is None, "two readers, and nothing says which of them submits"
    assert author_of(both, set(marks_of(old))) == "b"
    assert author_of(old, set(marks_of(old))) == "a"
    assert author_of(replace(old, regions=())) is None
    assert author_of(marked(("b", "1"), ("c", "2")), set(marks_of(old))) is None


def test_the_newest_mark_names_the_reader_of_an_old_label() -> None:
    assert newest_reader(marked(("b", "2026-01-02"), ("a", "2026-01-01"))) == "b"
    assert newest_reader(replace(document(), regions=())) is None


def test_only_marks_that_are_known_keep_another_name() -> None:
    known = set(marks_of(marked(("a", "1"))))
    signed = signed_by(marked(("a", "1"), ("a", "2"), ("c", "3")), "b", known)
    assert [region.reader.name for region in signed.regions if region.reader] == ["a", "b", "b"]
    moved = replace(marked(("a", "1")), regions=(replace(marked(("a", "1")).regions[0], id="r9"),))
    (region,) = signed_by(moved, "b", known).regions
    assert region.reader is not None and region.reader.name == "b", "the same mark under another region is another one"
    label = replace(marked(("a", "1")).regions[0], reader=ReaderMark("irrelevant", "a", "1"))
    (region,) = signed_by(replace(document(), regions=(label,)), "b", known).regions
    assert region.reader is not None and region.reader.name == "b", "nobody is made to say something else"


def test_the_mark_of_a_radiograph() -> None:
    case = radiograph({"name": "a", "label": "cap"})
    assert (author_of(case), newest_reader(case)) == ("a", "a")
    signed = signed_by(case, "b", set())
    assert signed.cxr is not None and signed.cxr.reader == {"name": "b", "label": "cap"}
    assert signed_by(case, "b", set(marks_of(case))) == case
    assert list(marks_of(radiograph(None))) == []
    assert author_of(radiograph({"name": 3})) is None

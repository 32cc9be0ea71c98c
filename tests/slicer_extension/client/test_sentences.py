"""What the child process says reads the same on Slicer's side, there in the reader's language."""

import json
from string import Formatter

import pytest
from tests.slicer_extension.test_translation import translated_in

from PneumoScreenLib.client import failures
from PneumoScreenLib.client.sentences import SENTENCES, in_words, said, stage, wire_of

SLICER = """
import types
slicer, i18n = types.ModuleType("slicer"), types.ModuleType("slicer.i18n")
words = {
    "nothing listens there": "dort antwortet niemand",
    "Finding the lungs": "Sucht die Lungen",
    "Sending {size} of {total} MB": "{size} von {total} MB gesendet",
}
there = "Nicht erreichbar: {address} ({reason})"
i18n.tr = lambda text: there if "cannot be reached" in text else words.get(text, text)
sys.modules["slicer"], sys.modules["slicer.i18n"], slicer.i18n = slicer, i18n, i18n
"""


def over_the_wire(text: str) -> object:
    return json.loads(json.dumps(wire_of(text)))


@pytest.mark.parametrize("name", SENTENCES)
def test_a_sentence_is_the_same_on_both_sides(name: str) -> None:
    values = {field: f"<{field}>" for _, field, _, _ in Formatter().parse(SENTENCES[name]) if field}
    assert in_words(over_the_wire(said(name, **values))) == said(name, **values) == SENTENCES[name].format(**values)


def test_what_a_server_said_is_passed_on_as_it_is() -> None:
    assert in_words(over_the_wire("Case {x} is {held}.")) == "Case {x} is {held}."
    refused = failures.of_response(403, {"detail": "only a trainer may {do} this"}, "http://a", True)
    assert in_words(over_the_wire(refused.sentence)) == str(refused)
    assert str(refused) == "The server refused: only a trainer may {do} this; ask its administrator."


@pytest.mark.parametrize(
    ("text", "there"),
    [
        (
            failures.of_exception(OSError("connection refused"), "http://a:1", 5.0).sentence,
            "Nicht erreichbar: http://a:1 (dort antwortet niemand)",
        ),
        (stage({"state": "running", "stage": "lungs", "image": "secret"}), "Sucht die Lungen"),
        (said("sending", size="3", total="20"), "3 von 20 MB gesendet"),
    ],
)
def test_it_is_told_in_the_language_of_slicer(text: str, there: str) -> None:
    code = f"from PneumoScreenLib.client.sentences import in_words; print(in_words({over_the_wire(text)!r}))"
    assert translated_in(code, SLICER) == there

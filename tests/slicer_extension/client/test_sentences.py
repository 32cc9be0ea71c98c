"""What the child process says reads the same on Slicer's side, there in the reader's language."""

import ast
import json
import re
from functools import cache
from pathlib import Path
from string import Formatter

import pytest
from tests.slicer_extension.test_translation import translated_in

from PneumoScreenLib.client import failures
from PneumoScreenLib.client.sentences import SENTENCES, by_name, in_words, of_server, said, stage, wire_of
from PneumoScreenLib.client.server_sentences import SERVER, known

SLICER = """
import types
slicer, i18n = types.ModuleType("slicer"), types.ModuleType("slicer.i18n")
words = {
    "nothing listens there": "dort antwortet niemand",
    "Finding the lungs": "Sucht die Lungen",
    "Sending {size} of {total} MB": "{size} von {total} MB gesendet",
    "this needs the role {needed}; {reader} speaks as {role}": "die Rolle {needed} fehlt: {reader} ist {role}",
    "The server refused: {reason}; ask its administrator.": "Der Server lehnt ab: {reason}.",
    "{file}: no lungs in view ({reason}); give a CT of the chest": "{file}: keine Lunge zu sehen ({reason})",
}
there = "Nicht erreichbar: {address} ({reason})"
i18n.translate = lambda context, text: there if "cannot be reached" in text else words.get(text, text)
i18n.getContext = lambda file: file
sys.modules["slicer"], sys.modules["slicer.i18n"], slicer.i18n = slicer, i18n, i18n
"""


def over_the_wire(text: str) -> object:
    return json.loads(json.dumps(wire_of(text)))


@pytest.mark.parametrize("name", SENTENCES)
def test_a_sentence_is_the_same_on_both_sides(name: str) -> None:
    values = {field: f"<{field}>" for _, field, _, _ in Formatter().parse(SENTENCES[name]) if field}
    assert in_words(over_the_wire(said(name, **values))) == said(name, **values) == SENTENCES[name].format(**values)


def test_what_a_server_said_and_nobody_knows_is_passed_on_as_it_is() -> None:
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
        (
            failures.of_response(
                403, {"detail": "this needs the role trainer; dr-a speaks as reader"}, "http://a", True
            ).sentence,
            "Der Server lehnt ab: die Rolle trainer fehlt: dr-a ist reader.",
        ),
        (
            failures.of_response(
                422, {"detail": "ct-7: no lungs in view (all air); give a CT of the chest."}, "http://a", True
            ).sentence,
            "Ct-7: keine Lunge zu sehen (all air).",
        ),
    ],
)
def test_it_is_told_in_the_language_of_slicer(text: str, there: str) -> None:
    code = f"from PneumoScreenLib.client.sentences import in_words; print(in_words({over_the_wire(text)!r}))"
    assert translated_in(code, SLICER) == there


def filled(sentence: str) -> str:
    """A sentence with a value in each of its places, as a server writes it."""
    return sentence.format(**{field: f"{field} 7.5" for _, field, _, _ in Formatter().parse(sentence) if field})


@pytest.mark.parametrize("name", SERVER)
def test_a_sentence_of_the_server_is_known_by_its_words(name: str) -> None:
    told = filled(SERVER[name])
    found = known(told)
    assert found is not None and found[0] == name and SERVER[name].format(**found[1]).rstrip(".") == told.rstrip(".")
    assert of_server(told).rstrip(".") == told.rstrip(".")
    assert in_words(json.loads(json.dumps(by_name(told)))).rstrip(".") == told.rstrip(".")


@cache
def texts_of_the_server() -> list[str]:
    """All literals of the server's code, the values in them as ``{}``; numbers keep no format."""
    found = []
    for path in (Path(__file__).parents[3] / "lib/pneumoscreen").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                found.append(
                    "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
                )
    return found


@pytest.mark.parametrize("name", SERVER)
def test_a_sentence_of_the_server_stands_in_its_code(name: str) -> None:
    wanted = re.sub(r"\{\w+\}", "{}", SERVER[name]).rstrip(".")
    assert any(text.rstrip(".") == wanted for text in texts_of_the_server()), wanted

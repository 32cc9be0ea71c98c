"""A reader's note on a case, kept among the sentences that the contract has for each case (``Case.notes``).

Ours: the contract has no field for it, so the sentence itself says whose note it is. Other sentences stay as they are.
"""

from dataclasses import replace

from ..contract import Case


def note_of(case: Case, reader: str) -> str:
    """The note of a reader; empty where there is none."""
    beginning = _beginning(reader)
    return next((note[len(beginning) :] for note in case.notes if note.startswith(beginning)), "")


def with_note(case: Case, reader: str, text: str) -> Case:
    """The case with a reader's note in the place of the one before; an empty text takes it out."""
    beginning = _beginning(reader)
    # Half of a surrogate pair, which a clipboard can bring, has no place in a file.
    sentence = beginning + text.encode("utf-8", "replace").decode("utf-8")
    notes = [note for note in case.notes if not note.startswith(beginning)]
    if text:
        places = [i for i, note in enumerate(case.notes) if note.startswith(beginning)]
        notes.insert(places[0] if places else len(notes), sentence)
    return replace(case, notes=tuple(notes))


def _beginning(reader: str) -> str:
    return f"Note of {reader}: "

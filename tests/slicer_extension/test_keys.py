from pneumoscreen.verdict import Classes
from PneumoScreenLib.keys import KEYS, keys_for


def test_numbers_are_the_sites_labels() -> None:
    assert [KEYS[key] for key in "123"] == ["covid19", "influenza_a", "irrelevant"]
    keys = keys_for(Classes(("rsv",), "other", "none"))
    assert (keys["1"], keys["2"]) == ("rsv", "other") and "3" not in keys


def test_a_session_needs_no_mouse() -> None:
    assert {"N": "select_next", "P": "select_previous", "A": "accept", "M": "add_box"}.items() <= KEYS.items()
    assert KEYS["Del"] == KEYS["D"] == "delete" and KEYS["Ctrl+Return"] == "submit_and_next"

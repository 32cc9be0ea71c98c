"""Sentences and answers without the places of the server's disk."""

import os
from pathlib import Path

import pytest

from pneumoscreen.server.http.hidden_paths import PlacelessResponse, Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "studies", ["/srv/models"])


def test_names_below_the_studies_stay(places: Places, tmp_path: Path) -> None:
    said = f"{tmp_path}/studies/patient/scan.nii is damaged; not {tmp_path}/studies/other of {tmp_path}/studies"
    assert places.hidden(said) == "patient/scan.nii is damaged; not other of the studies folder"


def test_of_other_folders_the_last_name_stays(places: Places) -> None:
    assert places.hidden("there is none in /srv/models (nothing was published)").startswith("there is none in models (")
    assert places.hidden("/srv/models/ct/2/card.json is damaged") == "card.json is damaged"
    assert places.hidden("'/tmp/pneumoscreen-upload-x/scan.nii' is bad") == "'scan.nii' is bad"
    assert places.hidden(f"{os.path.expanduser('~')}/.cache/monailabel/sessions/1/a.nii") == "a.nii"
    assert places.hidden(f'File "{Path(__file__).parents[3]}/lib/pneumoscreen/case.py"') == 'File "case.py"'


def test_addresses_of_the_interface_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/")
    said = "ask GET /datastore/image of http://127.0.0.1/info/ again"
    assert Places(tmp_path).hidden(said) == said


def test_a_link_and_odd_letters_are_known_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'a "real" Ü').mkdir()
    (tmp_path / "link").symlink_to(tmp_path / 'a "real" Ü')
    monkeypatch.setattr(PlacelessResponse, "places", Places(tmp_path / "link"))
    answer = PlacelessResponse({"path": str(tmp_path / 'a "real" Ü' / "x.nii"), "of": [str(tmp_path / "link" / "y")]})
    assert answer.body == b'{"path":"x.nii","of":["y"]}'

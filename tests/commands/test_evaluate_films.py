"""``pneumoscreen evaluate --modality cxr --cases TABLE`` on phantoms, with narrow networks."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cxr.radiographs import box_model, class_model, side_model

from pneumoscreen.cxr.networks import NETWORKS
from pneumoscreen.cxr.phantoms.radiograph import RadiographSpec, generate_radiograph
from pneumoscreen.cxr.phantoms.studies import write_picture
from pneumoscreen.models.store import ModelStore

from .conftest import Ended

TABLE = """path,group,patient,class,left,right,use
one.png,a,p1,covid19,infected,clear,measure
two.png,a,p2,healthy,clear,clear,measure
three.png,b,p3,cap,,,train
damaged.png,a,p4,cap,,,measure
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("films") / "models"
    card = {"data": "none", "seed": 0, "command": "pytest", "figures": {}, "licence": "Apache-2.0"}
    for name, model in zip(NETWORKS, (box_model(), class_model(), side_model()), strict=True):
        ModelStore(root).publish(name, model.state(), {**card, "network": model.card_network()})
    return root


@pytest.fixture
def table(tmp_path: Path) -> Path:
    for seed, (name, label) in enumerate((("one", "covid19"), ("two", "healthy"), ("three", "cap")), start=1):
        write_picture(generate_radiograph(seed, label, RadiographSpec(size=128)).radiograph, tmp_path / f"{name}.png")
    (tmp_path / "damaged.png").write_bytes(b"no picture")
    (tmp_path / "films.csv").write_text(TABLE, encoding="utf-8")
    return tmp_path / "films.csv"


def test_each_group_has_its_figures(run: Callable[..., Ended], table: Path, models: Path, tmp_path: Path) -> None:
    words = ("evaluate", "--modality", "cxr", "--cases", table, "--where", "use=measure", "--model-dir", models)
    out = tmp_path / "out"
    ended = run(*words, "--out", out, "--json")
    assert ended.status == 0, ended.err
    document = json.loads(ended.out)
    assert document == json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    (group,) = document["groups"]
    assert (group["name"], group["films"], group["refused"]) == ("a", 3, 1)
    assert (group["infection"]["with"], group["infection"]["without"]) == (1, 1)
    assert [film["path"] for film in document["films"]] == ["one.png", "two.png", "damaged.png"]
    assert "damaged.png" in document["films"][2]["refused"]
    assert str(tmp_path) not in ended.out
    assert (out / "evaluation.txt").read_text(encoding="utf-8").startswith("a: 3 films of 3 patients, 1 refused")


def test_an_infected_lung_in_a_healthy_film_is_refused(
    run: Callable[..., Ended], table: Path, models: Path, tmp_path: Path
) -> None:
    table.write_text(TABLE.replace("healthy,clear", "healthy,infected"), encoding="utf-8")
    ended = run("evaluate", "--modality", "cxr", "--cases", table, "--model-dir", models, "--out", tmp_path / "out")
    assert ended.status == 2
    assert "column left says infected, but column class says 'healthy'" in ended.err

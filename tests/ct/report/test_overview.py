"""The one picture of a scan on pages that show many."""

import json

import pytest

from pneumoscreen.ct.report.case_report import render_report
from pneumoscreen.ct.report.overview import Overview, coronal_overview
from pneumoscreen.verdict import DEFAULT_CLASSES


def test_boxes_lie_where_the_report_draws_them(volume, screening) -> None:
    found = coronal_overview(volume, screening, DEFAULT_CLASSES)
    assert found.picture.startswith("data:image/jpeg;base64,")
    assert {box.number for box in found.boxes} == set(range(1, len(screening.case.regions) + 1))
    html = render_report(volume, screening, DEFAULT_CLASSES)
    assert f'viewBox="0 0 {found.width_mm:.1f} {found.height_mm:.1f}"' in html
    for box in found.boxes:
        assert f'class="box {box.key}" x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}"' in html


def test_infections_are_drawn_over_the_rest(volume, screening) -> None:
    keys = [box.key for box in coronal_overview(volume, screening, DEFAULT_CLASSES).boxes]
    assert keys == sorted(keys, key=lambda key: key != "irrelevant")
    assert len(set(keys)) > 1


def test_it_survives_being_kept(volume, screening) -> None:
    found = coronal_overview(volume, screening, DEFAULT_CLASSES)
    assert Overview.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    with pytest.raises(KeyError):
        Overview.from_dict({"picture": ""})

"""Figures of X-rays within one source, on outcomes whose figures are known by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from pneumoscreen.cxr.figures.film_figures import FilmOutcome, figures_by_group, figures_to_text
from pneumoscreen.evaluation.site_cases import SiteCase


def outcome(number: int, label: str, infection: float, group: str = "one", **known) -> FilmOutcome:
    lungs = known.pop("truth", {})
    counted = known.pop("counted", True)
    row = SiteCase(number, f"{number}.png", Path(f"{number}.png"), f"p{number}", label, lungs, counted, group)
    return FilmOutcome(row, infection=infection, flagged=infection >= 0.5, covid19=0.5, **known)


def test_opacity_is_told_within_each_group_alone() -> None:
    films = [
        outcome(1, "covid19", 0.9),
        outcome(2, "covid19", 0.4),
        outcome(3, "healthy", 0.6),
        outcome(4, "other", 0.1),
        # Of another source, whose clear films score above all of the first one's.
        outcome(5, "healthy", 0.95, "two"),
        outcome(6, "cap", 0.99, "two"),
    ]
    one, two = figures_by_group(films)
    assert (one.name, one.films, two.name, two.films) == ("one", 4, "two", 2)
    assert one.infection is not None
    assert two.infection is not None
    assert one.infection.auc.estimate == pytest.approx(0.75)
    assert (one.infection.found.part, one.infection.found.whole) == (1, 2)
    assert (one.infection.false.part, one.infection.false.whole) == (1, 2)
    assert one.infection.accuracy.estimate == pytest.approx(0.5)
    assert one.infection.over_commonest.estimate == pytest.approx(0.0)
    assert two.infection.auc.estimate == 1.0
    assert two.infection.false.interval.estimate == 1.0
    assert "one: 4 films of 4 patients" in figures_to_text([one, two])


def test_lungs_count_where_readers_judged_them() -> None:
    said = {"lungs": {"left": 0.8, "right": 0.3}, "flagged_lungs": {"left": True, "right": False}}
    films = [
        outcome(1, "cap", 0.8, truth={"left": "infected", "right": "clear"}, **said),
        outcome(2, "cap", 0.8, truth={"left": "clear", "right": "other"}, **said),
    ]
    (group,) = figures_by_group(films)
    assert group.infection is None  # films of one kind only
    assert group.lungs is not None
    assert (group.lungs.with_it, group.lungs.without) == (1, 2)
    assert (group.lungs.found.part, group.lungs.false.part) == (1, 1)
    assert group.lungs.auc.estimate == pytest.approx(0.75)


def test_slight_and_extensive_changes_are_told_apart_from_clear_lungs_each_by_itself() -> None:
    films = []
    for number, (score, probability) in enumerate([(2.0, 0.3), (2.5, 0.6), (5.5, 0.9), (None, 0.99), (0.0, 0.4)]):
        truth = {"left": "clear" if score == 0.0 else "infected"}
        film = outcome(number, "cap", probability, truth=truth, lungs={"left": probability})
        film = replace(film, flagged_lungs={"left": probability >= 0.5})
        films.append(replace(film, case=replace(film.case, scores={} if score is None else {"left": score})))
    (group,) = figures_by_group(films)
    told = {name: (one.with_it, one.without, one.auc.estimate, one.found.part) for name, one in group.by_extent.items()}
    assert told == {"up to 2": (1, 1, 0.0, 0), "2 to 5": (1, 1, 1.0, 1), "over 5": (1, 1, 1.0, 1)}
    assert set(group.to_dict()["by_extent"]) == set(told)
    assert "lungs with a reader's score 2 to 5 of 9 (1 with, 1 without)" in figures_to_text([group])


def test_refused_and_uncounted_films_enter_no_figure() -> None:
    films = [
        outcome(1, "cap", 0.8),
        outcome(2, "healthy", 0.2),
        outcome(3, "healthy", 0.9, counted=False),
        outcome(4, "cap", 0.0, reason="no two lungs"),
    ]
    (group,) = figures_by_group(films)
    assert (group.films, group.refused) == (3, 1)
    assert group.infection is not None
    assert (group.infection.found.whole, group.infection.false.whole) == (1, 1)
    assert group.infection.auc.estimate == 1.0


def test_types_are_told_among_the_sick_alone() -> None:
    films = [
        outcome(1, "covid19", 0.9),
        outcome(2, "cap", 0.9, decided=False),
        outcome(3, "healthy", 0.1),
    ]
    (group,) = figures_by_group(films)
    assert group.types is not None
    assert (group.types.with_it, group.types.without) == (1, 1)
    assert group.types.auc.estimate == 0.5
    assert group.undecided == 1


def test_extent_is_set_beside_what_readers_scored() -> None:
    films = []
    for number, (reader, model) in enumerate(((0.0, 0.0), (4.0, 3.0), (9.0, 6.0)), start=1):
        film = outcome(number, "covid19", 0.9, scores={"left": model, "right": 1.0})
        films.append(replace(film, case=replace(film.case, scores={"left": reader})))
    (group,) = figures_by_group(films)
    assert group.extent is not None
    assert group.extent.lungs == 3
    assert group.extent.difference.estimate == pytest.approx(4 / 3)
    assert group.to_dict()["extent"]["lungs"] == 3
    assert "extent against readers' scores, 3 lungs" in figures_to_text([group])
    assert films[0].to_dict()["lungs"]["left"]["score_of_reader"] == 0.0


def test_the_peak_counts_where_a_reader_drew() -> None:
    films = [
        outcome(1, "covid19", 0.9, peak_in_opacity=True),
        outcome(2, "covid19", 0.9, peak_in_opacity=False),
        outcome(3, "covid19", 0.9, peak_in_opacity=True),
        outcome(4, "covid19", 0.9),
        outcome(5, "covid19", 0.9, "two"),
    ]
    one, two = figures_by_group(films)
    assert one.peaks is not None
    assert (one.peaks.part, one.peaks.whole) == (2, 3)
    assert one.peaks.interval.estimate == pytest.approx(2 / 3)
    assert two.peaks is None
    assert "peak of Grad-CAM within the drawn opacity: 2 of 3 films" in figures_to_text([one, two])

"""In which order the regions of a case stand in the table, and which of them are shown; the keys step by the same."""

from typing import Any, Callable, Dict, List, Sequence

from ..contract import DEFAULT_CLASSES, Classes, Region
from ..wording import display_name, votes_in_words
from .progress import is_open

NUMBER, SIDE, TYPE, SURE, ML, MM, VOTES, EDGE, STATE = range(9)
"""Columns."""


class Arrangement:
    """How a reader wants the regions; it holds for the next case, too.

    Attributes:
        column: by which they are sorted; the number stands for what matters first.
        is_descending: whether the largest comes first.
        only_open: whether regions that were looked at are left out.
    """

    def __init__(self) -> None:
        self.column, self.is_descending, self.only_open = NUMBER, False, False

    def sort_by(self, column: int) -> None:
        """Sort by a column, the other way round where it is sorted by it already."""
        self.is_descending = column == self.column and not self.is_descending
        self.column = column

    def ids(self, regions: Sequence[Region], numbers: Dict[str, int]) -> List[str]:
        """All regions in their order; what has no value in the column comes last either way."""
        by_number = sorted(regions, key=lambda region: numbers[region.id])
        keys = {region.id: sort_key(region, self.column, numbers) for region in regions}
        known = [region for region in by_number if keys[region.id] is not None]
        known.sort(key=lambda region: keys[region.id], reverse=self.is_descending)
        return [region.id for region in (*known, *(each for each in by_number if keys[each.id] is None))]


def numbers_of(opened: Sequence[Region], now: Sequence[Region], classes: Classes = DEFAULT_CLASSES) -> Dict[str, int]:
    """The number of each region, from 1: what was opened by what matters, then what a reader has added.

    Ours: regions that count as an infection come first, the larger infected volume before the smaller. A correction
    changes no number, so that no row jumps away under the reader.

    Args:
        opened: regions that the work began with.
        now: regions as they stand.
        classes: of the site.
    """

    def matters(region: Region) -> Any:
        label = region.opinion[0] if region.opinion else None
        return label not in classes.infections, -(region.infected_ml or 0.0)

    ids = [region.id for region in sorted(opened, key=matters)]
    known = set(ids)
    ids += [region.id for region in now if region.id not in known]
    return {region_id: number for number, region_id in enumerate(ids, start=1)}


def edge_of(region: Region) -> Any:
    """Relative distance of the middle patch from the edge of the lung; None where there is none."""
    edges = [patch.distance_from_edge for patch in region.patches]
    return edges[len(edges) // 2] if edges else None


def sort_key(region: Region, column: int, numbers: Dict[str, int]) -> Any:
    """By what a region is sorted in a column; None where it has no value there."""
    return numbers[region.id] if column == NUMBER else VALUES[column](region)


def _type_of(region: Region) -> Any:
    return None if region.opinion is None else display_name(region.opinion[0])


def _sureness_of(region: Region) -> Any:
    return None if region.opinion is None else region.opinion[1]


VALUES: Dict[int, Callable[[Region], Any]] = {
    SIDE: lambda region: region.side,
    TYPE: _type_of,
    SURE: _sureness_of,
    ML: lambda region: region.infected_ml,
    MM: lambda region: max(region.size_mm),
    VOTES: lambda region: votes_in_words(region) if region.patches else None,
    EDGE: edge_of,
    STATE: lambda region: not is_open(region),
}
"""What a region is sorted by in each column but the first."""

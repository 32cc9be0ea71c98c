"""What a trained network must show before it takes the place of the one in use.

Ours. The 95 % interval of its figure less that of the one in use, over the same validation patients, must not lie
wholly below 0, must not reach below minus the margin, and must come from a least number of patients. Without margin and
least number the fewer patients there are, the wider the interval and the more easily a worse network passes.

Simulated by ``tests/training/test_gate.py`` (patch mean f1; 300 trainings a row; patients of 12 to 35 patches, two
thirds of them infected, whose cases are easy or hard for both networks). Share of trainings that are published:

| validation patients | truly .10 worse, interval alone | truly .10 worse | equal | truly .05 better |
|---|---|---|---|---|
| 2 | .51 | .27 (kept) | .58 (kept) | .72 (kept) |
| 5 | .60 | .08 (kept) | .45 (kept) | .69 (kept) |
| 10 | .52 | .07 | .52 | .79 |
| 20 | .29 | .05 | .69 | .93 |
| 40 | .08 | .03 | .89 | 1.00 |

"kept": the least number of patients keeps them all. A network that is kept for its interval can be published by hand.
"""

from pydantic import Field

from ..config import Settings
from .comparison import Comparison


class GateSettings(Settings):
    """The gate before a publication.

    Attributes:
        margin: by how much the figure may be worse at most, at the lower end of its 95 % interval. Ours: .10, at which
            a network that is truly .10 worse passes in 3 to 7 % of trainings with 10 patients and more.
        least_patients: validation patients below which the network in use is kept. Ours: 10; with fewer the bootstrap
            gives intervals that are too narrow, and .10 worse passes more often than the interval says.
    """

    margin: float = Field(0.10, ge=0.0, le=1.0)
    least_patients: int = Field(10, ge=1)

    def objection(self, found: Comparison) -> str | None:
        """Why the network in use is kept, in words; None where the new one takes its place.

        One patient gives no interval; where so few are asked for, the difference itself decides.

        Args:
            found: the comparison; without one in use there is no objection.
        """
        if found.difference is None:
            return None
        if found.patients < self.least_patients:
            least = f"fewer than {self.least_patients} validation patients"
            return f"{least}, too few to tell a worse network from an equal one"
        if found.is_worse:
            return "worse beyond the interval"
        is_doubtful = found.difference.low < -self.margin
        return f"perhaps worse by more than the margin of {self.margin:g}" if is_doubtful else None


DEFAULT_GATE = GateSettings()

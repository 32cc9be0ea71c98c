"""``pneumoscreen evaluate``: the paper's tables on a cohort of unseen synthetic cases."""

from pathlib import Path

from ..ct.screening import Screener
from ..evaluation.cohort import evaluate_cohort as judge
from ..evaluation.cohort import phantom_cohort
from ..models.store import ModelStore
from .device import pick_device
from .folders import prepare_folder
from .terminal import complain


def evaluate_cohort(
    out: Path, *, cases: int, seed: int, model_dir: Path | None = None, device: str = "auto", as_json: bool = False
) -> None:
    """Screen a cohort, print its tables and write ``out/cohort.json`` and ``out/cohort.txt``.

    Raises:
        PneumoScreenError: if the models cannot be loaded or the folder cannot be written.
    """
    out = prepare_folder(out)
    screener = Screener.from_store(ModelStore(model_dir), pick_device(device))
    result = judge(phantom_cohort(cases, seed), screener, lambda done, line: complain(f"{done}/{cases} {line}"))
    result.write(out)
    print((out / "cohort.json").read_text(encoding="utf-8") if as_json else result.to_text(), end="")

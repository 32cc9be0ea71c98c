"""The figures of the X-ray method on labelled studies or synthetic X-rays."""

from ...evaluation.request import ALL_SIDES, CohortRequest, Evaluation
from ...evaluation.sides import studies_of_side, trained_otherwise
from ...studies.folder_split import source_in_words
from ...studies.split import Side
from ..screening import CxrScreener
from .cases import phantom_radiographs, radiograph_cases
from .cohort import JudgeWork, KeptOutcomes, evaluate_radiographs
from .page import render_radiograph_page
from .readers import operating_points, read_readers
from .summary import RadiographPopulation, RadiographSummary, summarize_radiographs
from .text import radiographs_to_text

PHANTOMS = 90
FIRST_SEED = 900_000
"""Far from the seeds of the starter weights and of trainings: no phantom of a cohort has been seen."""


def evaluate(request: CohortRequest) -> Evaluation:
    """Screen labelled X-rays and compute the figures.

    Raises:
        PneumoScreenError: if models, studies or folders cannot be used.
    """
    # Before the screening, not after it.
    readings = read_readers(request.readers) if request.readers is not None else {}
    screener = CxrScreener.from_store(request.store, request.device_here)
    if request.studies is None:
        count, first = request.cases or PHANTOMS, FIRST_SEED if request.seed is None else request.seed
        chosen = phantom_radiographs(count, first)
        source, how = f"synthetic X-rays, seeds {first} to {first + count - 1}", None
    else:
        folder, which = request.studies, request.side
        chosen = radiograph_cases(
            studies_of_side(folder, None if which == ALL_SIDES else Side(which), request.say, "CXR")
        )
        for sentence in trained_otherwise(folder, request.store, screener.models) if which != ALL_SIDES else ():
            request.say(sentence)
        source, how = source_in_words(folder, which), f"{which} side of the split"
    kept = KeptOutcomes(request.out / "outcomes", screener)
    pool = request.pool(JudgeWork(screener, CxrScreener.from_store, request.store))
    cohort = evaluate_radiographs(chosen, pool, request.counting(len(chosen), ""), kept)
    population = RadiographPopulation.of(cohort.outcomes, source, how, screener.models)
    return answered(
        summarize_radiographs(cohort.outcomes, population, cohort.left_out, operating_points(readings, cohort.outcomes))
    )


def answered(summary: RadiographSummary) -> Evaluation:
    """The figures as JSON values, as text and as a page."""
    return Evaluation(summary.to_dict(), radiographs_to_text(summary), render_radiograph_page(summary))

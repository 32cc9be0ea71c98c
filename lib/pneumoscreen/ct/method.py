"""The CT method as the rest of the program knows it."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..case_kinds import KINDS
from ..errors import ModelError
from ..method import Method, Network
from . import networks

if TYPE_CHECKING:
    import numpy as np
    import SimpleITK as sitk
    from numpy.typing import NDArray

    from ..active_learning.scores import CaseScore
    from ..case import Case
    from ..evaluation.request import CohortRequest, Evaluation, TableRequest
    from ..images.inputs import Input
    from ..images.volume import Masks, Volume
    from ..importers.found import ImportRequest, Layout, Remark
    from ..importers.outcomes import Outcome
    from ..models.portable import Portable
    from ..models.store import ModelStore
    from ..models.weights import Weights
    from ..phantoms.studies import PhantomRequest, Writer
    from ..report.drawing import Drawing
    from ..screener import Task
    from ..simulation.subject import Subject
    from ..studies.cases import Study
    from ..studies.marked import Marked
    from ..studies.marks import Painting
    from ..training.recipes import Recipe
    from ..verdict import Classes
    from .lungs.segmentation import Lungs
    from .screening import Screener, Screening


MOST_REGIONS = 20
"""What a screening proposes at most: a stock client names this many segments."""
_LUNGS, _INFECTION = "lungs", "infection"


@dataclass(frozen=True)
class Restored:
    """What pictures and masks of a screened scan are drawn from, without the networks that screened it."""

    case: "Case"
    lungs: "Lungs"
    infection: "NDArray[np.bool_]"


class CtMethod(Method):
    """Lungs, candidate regions, patches, the classifier of the patches, the vote."""

    kind = KINDS["CT"]
    images = phantom_images = "scans"
    description = "Screens a chest CT for pneumonia and says which kind: verdict, regions and label map."
    voxels = "hu"
    scored_by = networks.CLASSIFIER
    segments = tuple(f"region {number}" for number in range(1, MOST_REGIONS + 1))
    mask_names = ("left lung", "right lung", "infection")
    reads_ahead = True
    shows_as_read = False

    @property
    def networks(self) -> tuple[Network, ...]:
        """The candidate network and the patch classifier."""
        return (
            Network(
                networks.CANDIDATES,
                "Trains the network that marks candidate regions, on readers' regions.",
                _load_candidates,
                _candidates_recipe,
                _portable_candidates,
            ),
            Network(
                networks.CLASSIFIER,
                "Trains the patch classifier (M1, M2), on readers' marks and clinical diagnoses.",
                _load_classifier,
                _classifier_recipe,
                _portable_classifier,
            ),
        )

    def read(self, item: "Input") -> "Volume":
        """The scan of an input."""
        from ..images import read_input

        return read_input(item)

    def read_file(self, path: Path, root: Path | None = None, more: Sequence[Path] = ()) -> "Volume":
        """The scan of a file or folder."""
        from ..images import read_volume

        return read_volume(path, root, more)

    @property
    def image_type(self) -> "type[Volume]":
        """A scan."""
        from ..images.volume import Volume

        return Volume

    def shown(self, image: "Volume") -> "sitk.Image":
        """The scan in Hounsfield units."""
        return image.to_sitk(image.hu)

    def screener(self, store: "ModelStore", device: str | None = None) -> "Screener":
        """Both networks in use."""
        from .screening import Screener

        return Screener.from_store(store, device)

    def classes(self, screener: "Screener") -> "Classes":
        """The list that the classifier was trained with."""
        return screener.classes

    def stored_classes(self, store: "ModelStore") -> "Classes | None":
        """The class list on the card of the classifier in use; of the version before where that is damaged."""
        from pydantic import ValidationError

        from .classifier import ClassifierSettings

        version = store.current(networks.CLASSIFIER)
        while version is not None:
            try:
                network = store.card(networks.CLASSIFIER, version)["network"]
                return ClassifierSettings.model_validate(network).classes.classes
            except (ModelError, ValidationError):
                version = store.before(networks.CLASSIFIER, version)
        return None

    def case_labels(self, classes: "Classes") -> tuple[str, ...]:
        """Those of the site."""
        return classes.case_labels

    def prepare_report(self) -> None:
        """Import what draws the report."""
        from .report import case_report

        del case_report

    def write_report(self, image: "Volume", screening: "Screening", screener: "Screener", target: Path) -> None:
        """Write the page of a screened scan."""
        from .report.case_report import write_report

        write_report(image, screening, target, screener.classes)

    def score(self, case_id: str, screening: "Screening", screener: "Screener") -> "CaseScore":
        """The score of a scan."""
        from .scoring import score_screening

        return score_screening(case_id, screening, screener.classes)

    def overlay(self, image: "Volume", screening: "Screening") -> "sitk.Image":
        """Lungs and infection."""
        return image.to_sitk(screening.anatomy_map())

    def label_map(self, image: "Volume", screening: "Screening") -> "sitk.Image":
        """The regions."""
        return image.to_sitk(screening.label_map())

    def found_in(self, screening: "Screening", screener: "Screener") -> Mapping[str, object]:
        """Lungs and infection mask, for a reader who corrects the regions next."""
        from .screening import LUNGS, infection_by

        infection = infection_by(screener.models.get(networks.CANDIDATES))
        return {LUNGS: screening.lungs, infection: screening.infection}

    @property
    def tasks(self) -> "tuple[Task, ...]":
        """Candidate regions, and what given regions show."""
        from .tasks import TASKS

        return TASKS

    def from_label_map(
        self,
        painting: "Painting",
        image: "Volume",
        case: "Case",
        known: "Case | None",
        shown: "Collection[int] | None",
        classes: "Classes",
    ) -> "Case":
        """Each segment is a region, or as many as it has pieces."""
        from .label_maps import case_from_label_map, sides_of

        return case_from_label_map(painting, image, case, known, sides_of(image), classes, shown)

    def evaluate(self, request: "CohortRequest") -> "Evaluation":
        """The figures on labelled studies or synthetic cases."""
        from .figures.evaluation import evaluate

        return evaluate(request)

    def evaluate_table(self, request: "TableRequest") -> "Evaluation":
        """The figures on a site's own scans."""
        from .figures.site_evaluation import evaluate_site_cases

        return evaluate_site_cases(request)

    def rehearsed(self) -> "type[Subject]":
        """The classifier."""
        from .simulation import CtSubject

        return CtSubject

    def layouts(self) -> "tuple[Sequence[Layout], Sequence[Layout]]":
        """Data sets of CTs, and masks or boxes of any origin."""
        from .importers.layouts import DATA_SETS, OTHERS

        return DATA_SETS, OTHERS

    def import_cases(self, layout: "Layout", request: "ImportRequest") -> "Iterator[Outcome | Remark]":
        """Scans with masks or boxes."""
        from .importers.run import import_cases

        return import_cases(
            layout.find(request.source, request.annotations),
            layout,
            request.studies,
            request.settings,
            link=request.link,
            dry_run=request.dry_run,
            anonymous_ids=request.anonymous_ids,
        )

    @property
    def demonstration(self) -> "tuple[PhantomRequest, ...]":
        """One of each diagnosis, chosen to be clear cases: three right verdicts in the demo are no accuracy."""
        from ..phantoms.studies import PhantomRequest

        clear = (("covid19", 41), ("influenza_a", 46), ("no_infection_found", 53))
        return tuple(PhantomRequest(1, seed, diagnosis) for diagnosis, seed in clear)

    def phantoms(self, asked: "PhantomRequest") -> "Writer":
        """What writes synthetic CTs."""
        from .synthetic_studies import writer_of

        return writer_of(asked)

    def kept(self, screening: "Screening") -> "Mapping[str, NDArray[np.generic]]":
        """Lungs and infection."""
        return {_LUNGS: screening.lungs.labels, _INFECTION: screening.infection}

    def restored(self, image: "Volume", case: "Case", marked: "Mapping[str, NDArray[np.generic]]") -> "Restored":
        """The regions of the document over lungs and infection; without a screening, over the lungs."""
        import numpy as np

        from .lungs.segmentation import Lungs, segment_lungs

        shape = image.hu.shape
        if all(name in marked and marked[name].shape == shape for name in (_LUNGS, _INFECTION)):
            lungs, infection = Lungs(marked[_LUNGS].astype(np.uint8)), marked[_INFECTION].astype(np.bool_)
        else:
            lungs, infection = segment_lungs(image), np.zeros(shape, np.bool_)
        return Restored(case, lungs, infection)

    def drawing(self, image: "Volume", screening: "Screening | Restored", classes: "Classes") -> "Drawing":
        """The view from the front with the regions' boxes."""
        from ..report.drawing import Drawing, DrawnBox
        from .report.case_report import OVERVIEW_PIXELS
        from .report.overview import coronal_overview

        seen = coronal_overview(image, screening, classes, OVERVIEW_PIXELS)
        boxes = tuple(DrawnBox(f"r{box.number}", box.key, box.x, box.y, box.width, box.height) for box in seen.boxes)
        return Drawing("From the front", seen.picture, seen.width_mm, seen.height_mm, ("L", "F"), boxes)

    def masks(self, image: "Volume", screening: "Screening | Restored") -> "Masks":
        """The lungs and what is infected in them."""
        from ..images.volume import Masks

        return Masks(image, screening.lungs.labels, screening.infection)

    def marked(self, study: "Study", classes: "Classes") -> "Marked":
        """Scan and mask of lungs and infection."""
        from .marked import marked_scan

        return marked_scan(study, classes)


def _load_candidates(weights: "Weights") -> object:
    from .candidates.finding import CandidateModel

    return CandidateModel.load(weights)


def _load_classifier(weights: "Weights") -> object:
    from .classifier import ClassifierModel

    return ClassifierModel.load(weights)


def _portable_candidates(weights: "Weights") -> "Portable":
    from .portable import portable_candidates

    return portable_candidates(weights)


def _portable_classifier(weights: "Weights") -> "Portable":
    from .portable import portable_classifier

    return portable_classifier(weights)


def _candidates_recipe() -> "type[Recipe]":
    from .learning.recipes import CandidatesRecipe

    return CandidatesRecipe


def _classifier_recipe() -> "type[Recipe]":
    from .learning.recipes import ClassifierRecipe

    return ClassifierRecipe


METHOD = CtMethod()

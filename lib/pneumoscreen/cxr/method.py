"""The X-ray method as the rest of the program knows it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..case_kinds import KINDS
from ..method import Method, Network
from ..regions import SIDES
from ..xray_findings import CXR_HEALTHY
from . import networks

if TYPE_CHECKING:
    import numpy as np
    import SimpleITK as sitk
    from numpy.typing import NDArray

    from ..active_learning.score_file import Finding
    from ..active_learning.scores import CaseScore
    from ..case import Case
    from ..evaluation.request import CohortRequest, CrossRequest, Evaluation, TableRequest
    from ..images.inputs import Input
    from ..images.radiograph import Radiograph
    from ..importers.found import ImportRequest, Layout, Remark
    from ..importers.outcomes import Outcome
    from ..models.portable import Portable
    from ..models.store import ModelStore
    from ..models.weights import Weights
    from ..phantoms.studies import PhantomRequest, Writer
    from ..report.drawing import Drawing
    from ..simulation.subject import Subject
    from ..studies.cases import Study
    from ..studies.marked import Marked
    from ..training.recipes import Recipe
    from ..verdict import Classes
    from .screening import CxrScreener, CxrScreening


WHITE = 65535
"""The brightest grey of a picture for clients."""
_GRADCAM = "gradcam"


@dataclass(frozen=True)
class Restored:
    """What pictures of a screened radiograph are drawn from, without the networks that screened it."""

    case: "Case"
    gradcam: "NDArray[np.float32]"
    attention: "dict[str, NDArray[np.float32]]"
    superpixels: "NDArray[np.int32]"


class CxrMethod(Method):
    """Lung boxes, superpixels, the class of the picture, the affected side, Grad-CAM."""

    kind = KINDS["CXR"]
    images = "chest X-rays"
    phantom_images = "frontal chest X-rays"
    description = "Screens a frontal chest X-ray: COVID-19, healthy or community-acquired pneumonia, and which lung."
    voxels = "pixels"
    scored_by = networks.DISCRIMINATION
    box_names = tuple(f"{side} lung" for side in SIDES)
    has_readers = True
    cross_tasks = ("classes", "localization", "lung_boxes")
    calibrates_itself = "is for CT: a training of X-ray networks fits its temperature itself"
    needs_monai = True

    @property
    def networks(self) -> tuple[Network, ...]:
        """The lung boxes, the class and the affected side."""
        return (
            Network(
                networks.LUNG_BOXES,
                "Trains the network that finds the lungs of a chest X-ray, on readers' boxes.",
                _load_lung_boxes,
                _lung_box_recipe,
                _portable_lung_boxes,
            ),
            Network(
                networks.DISCRIMINATION,
                "Trains the network that names the class of a chest X-ray, on clinical diagnoses and readers' classes.",
                _load_discrimination,
                _discrimination_recipe,
                _portable_discrimination,
            ),
            Network(
                networks.LOCALIZATION,
                "Trains the network that names the affected lung of a COVID-19 chest X-ray, on readers' sides.",
                _load_localization,
                _localization_recipe,
                _portable_localization,
            ),
        )

    def read(self, item: "Input") -> "Radiograph":
        """The picture of an input."""
        from ..images import read_radiograph

        return read_radiograph(item)

    def read_file(self, path: Path, root: Path | None = None, more: Sequence[Path] = ()) -> "Radiograph":
        """The picture of a file."""
        from ..images import read_radiograph_file

        del more
        return read_radiograph_file(path, root)

    @property
    def image_type(self) -> "type[Radiograph]":
        """A picture."""
        from ..images.radiograph import Radiograph

        return Radiograph

    def shown(self, image: "Radiograph") -> "sitk.Image":
        """The picture turned and with the greys as the networks see it."""
        import numpy as np

        return image.to_sitk(np.rint(image.pixels * WHITE).astype(np.uint16))

    def screener(self, store: "ModelStore", device: str | None = None) -> "CxrScreener":
        """The three networks in use."""
        from .screening import CxrScreener

        return CxrScreener.from_store(store, device)

    def prepare_report(self) -> None:
        """Import what draws the report."""
        from .report import case_report

        del case_report

    def write_report(
        self, image: "Radiograph", screening: "CxrScreening", screener: "CxrScreener", target: Path
    ) -> None:
        """Write the page of a screened X-ray."""
        from .report.case_report import write_cxr_report

        del screener
        write_cxr_report(image, screening, target)

    def score(self, case_id: str, screening: "CxrScreening", screener: "CxrScreener") -> "CaseScore":
        """The score of a picture."""
        from .scoring import score_radiograph

        del screener
        return score_radiograph(case_id, screening)

    def overlay(self, image: "Radiograph", screening: "CxrScreening") -> "sitk.Image":
        """Grad-CAM as bytes, 255 where most spoke for the verdict."""
        import numpy as np

        return image.to_sitk(np.round(screening.gradcam * 255.0).astype(np.uint8))

    def urgency(self, finding: "Finding") -> float | None:
        """Ours: without a probability the confidence in its class, or what the confidence in a healthy one leaves."""
        if finding.infection is not None:
            return finding.infection
        return 1.0 - finding.confidence if finding.label == CXR_HEALTHY else finding.confidence

    def evaluate(self, request: "CohortRequest") -> "Evaluation":
        """The figures on labelled studies or synthetic cases."""
        from .figures.evaluation import evaluate

        return evaluate(request)

    def evaluate_table(self, request: "TableRequest") -> "Evaluation":
        """The figures on a site's own films."""
        from .figures.film_evaluation import evaluate_films

        return evaluate_films(request)

    def crossvalidate(self, request: "CrossRequest") -> Path:
        """Folds, the shortcut audit, the ablations."""
        from .crossvalidation.command import crossvalidate

        return crossvalidate(request)

    def rehearsed(self) -> "type[Subject]":
        """The networks of class and affected side."""
        from .simulation import CxrSubject

        return CxrSubject

    def layouts(self) -> "tuple[Sequence[Layout], Sequence[Layout]]":
        """A table of X-rays."""
        from .importers.table import LAYOUT

        return (LAYOUT,), ()

    def import_cases(self, layout: "Layout", request: "ImportRequest") -> "Iterator[Outcome | Remark]":
        """X-rays; where the table gives no lung boxes, the network in use finds them."""
        from .importers.run import import_radiographs

        del layout
        return import_radiographs(
            request.source,
            request.annotations,
            request.studies,
            request.settings,
            store=request.store,
            link=request.link,
            dry_run=request.dry_run,
            anonymous_ids=request.anonymous_ids,
        )

    @property
    def demonstration(self) -> "tuple[PhantomRequest, ...]":
        """A clear case."""
        from ..phantoms.studies import PhantomRequest

        return (PhantomRequest(1, 12, "covid19"),)

    def phantoms(self, asked: "PhantomRequest") -> "Writer":
        """What writes synthetic X-rays."""
        from .phantoms.studies import writer_of

        return writer_of(asked)

    def kept(self, screening: "CxrScreening") -> "Mapping[str, NDArray[np.generic]]":
        """What spoke for the finding."""
        return {_GRADCAM: screening.gradcam}

    def restored(self, image: "Radiograph", case: "Case", marked: "Mapping[str, NDArray[np.generic]]") -> "Restored":
        """The lungs' boxes of the document over the Grad-CAM; without a screening, over nothing."""
        import numpy as np

        gradcam = np.zeros(image.pixels.shape, np.float32)
        if _GRADCAM in marked and marked[_GRADCAM].shape == gradcam.shape:
            gradcam = marked[_GRADCAM].astype(np.float32)
        return Restored(case, gradcam, {}, np.zeros((0, 0), np.int32))

    def drawing(self, image: "Radiograph", screening: "CxrScreening | Restored", classes: "Classes") -> "Drawing":
        """The radiograph with the boxes of the lungs, and what spoke for the finding over it."""
        from ..report.drawing import Drawing, DrawnBox
        from .report.pictures import draw

        del classes
        drawn = draw(image, screening)
        boxes = tuple(DrawnBox(box.side, "unknown", box.x, box.y, box.width, box.height) for box in drawn.boxes)
        size = (drawn.frame.width_mm, drawn.frame.height_mm)
        return Drawing("The radiograph with Grad-CAM", drawn.radiograph, *size, ("L", "F"), boxes, drawn.gradcam)

    def marked(self, study: "Study", classes: "Classes") -> "Marked":
        """Picture and boxes of the lungs."""
        from ..studies.cases import read_document
        from ..studies.marked import Marked

        case = read_document(study.document, classes)
        drawn = {} if case.cxr is None else case.cxr.lung_boxes
        boxes = {f"{side} lung": box for side, box in drawn.items()}
        return Marked(case, self.shown(self.read(study.scan)), boxes)


def _load_lung_boxes(weights: "Weights") -> object:
    from .lung_boxes import LungBoxModel

    return LungBoxModel.load(weights)


def _load_discrimination(weights: "Weights") -> object:
    from .discrimination import DiscriminationModel

    return DiscriminationModel.load(weights)


def _load_localization(weights: "Weights") -> object:
    from .localization import LocalizationModel

    return LocalizationModel.load(weights)


def _portable_lung_boxes(weights: "Weights") -> "Portable":
    from .portable import portable_lung_boxes

    return portable_lung_boxes(weights)


def _portable_discrimination(weights: "Weights") -> "Portable":
    from .portable import portable_discrimination

    return portable_discrimination(weights)


def _portable_localization(weights: "Weights") -> "Portable":
    from .portable import portable_localization

    return portable_localization(weights)


def _lung_box_recipe() -> "type[Recipe]":
    from .learning.recipes import LungBoxRecipe

    return LungBoxRecipe


def _discrimination_recipe() -> "type[Recipe]":
    from .learning.recipes import DiscriminationRecipe

    return DiscriminationRecipe


def _localization_recipe() -> "type[Recipe]":
    from .learning.recipes import LocalizationRecipe

    return LocalizationRecipe


METHOD = CxrMethod()

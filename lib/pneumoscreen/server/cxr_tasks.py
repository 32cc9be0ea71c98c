"""The infer task of the X-ray method, under the name that clients rely on."""

import numpy as np
import SimpleITK as sitk
from monailabel.interfaces.tasks.infer_v2 import InferType

from ..active_learning.epistemic import DRAWS
from ..case import CXR_CLASSES
from ..cxr.report.case_report import write_cxr_report
from ..cxr.scoring import score_radiograph
from .engine import Engine
from .tasks import CaseTask, TaskRequest, TaskResult, staged


class CxrScreeningTask(CaseTask):
    """The whole method: lung boxes, superpixels, class, affected side, report and Grad-CAM."""

    description = "Screens a frontal chest X-ray: COVID-19, healthy or community-acquired pneumonia, and which lung."
    kind = InferType.CLASSIFICATION
    dimension = 2
    modality = "CXR"
    is_screening = True

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, list(CXR_CLASSES))

    def diagnoses(self) -> tuple[str, ...]:
        """The classes of an X-ray."""
        return CXR_CLASSES

    def versions(self) -> dict[str, int | None]:
        """Versions of the three networks."""
        return self.engine.versions("CXR")

    def run(self, request: TaskRequest) -> TaskResult:
        """Screen a radiograph and write its report.

        Raises:
            PneumoScreenError: if it cannot be screened.
        """
        request.progress("read", 0.0)
        screener = self.engine.cxr_screener()
        radiograph, read_s = self.engine.read_radiograph(request.path, lambda: request.progress("read", 0.0))
        screening = screener.screen(radiograph, request.progress, request.parameters.diagnosis, read_s, DRAWS)
        if request.report is not None:
            with staged(request.report) as part:
                write_cxr_report(radiograph, screening, part)
        if request.masks is not None:
            with staged(request.masks) as part:
                # Bytes, 255 where most spoke for the verdict.
                heat = np.round(screening.gradcam * 255.0).astype(np.uint8)
                sitk.WriteImage(radiograph.to_sitk(heat), part, useCompression=True)
        return TaskResult(screening.case, score=score_radiograph(radiograph.case_id, screening))

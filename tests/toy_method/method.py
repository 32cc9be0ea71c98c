"""The method as the rest of the program knows it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pneumoscreen.case import Case
from pneumoscreen.case_kinds import Kind
from pneumoscreen.method import Method, Network
from pneumoscreen.screener import Answer, Asked, Task

NETWORK = "lamp_threshold"


class LampMethod(Method):
    kind = Kind("LAMP", 2, ("off", "on"), "lamp", "Lamp", "Lamp screening", endings=(".lamp.png",))
    images = phantom_images = "lamps"
    description = "Says whether a lamp is on."
    voxels = "pixels"
    scored_by = NETWORK

    @property
    def networks(self) -> tuple[Network, ...]:
        return (Network(NETWORK, "Fits the threshold of brightness, on labels.", _load, _recipe),)

    def read(self, item: Any) -> Any:
        from .picture import read

        return read(item)

    def read_file(self, path: Path, root: Path | None = None, more: Sequence[Path] = ()) -> Any:
        from pneumoscreen.images.inputs import below, file_input

        return self.read(below(file_input(path), root or path))

    @property
    def image_type(self) -> type[Any]:
        from .picture import Picture

        return Picture

    def shown(self, image: Any) -> Any:
        return image.to_sitk(image.pixels)

    def screener(self, store: Any, device: str | None = None) -> Any:
        from .screening import LampScreener

        return LampScreener.from_store(store)

    def prepare_report(self) -> None:
        pass

    def write_report(self, image: Any, screening: Any, screener: Any, target: Path) -> None:
        target.write_text(f"<h1>{image.case_id}: {screening.case.verdict.label}</h1>", encoding="utf-8")

    def score(self, case_id: str, screening: Any, screener: Any) -> Any:
        from pneumoscreen.active_learning.scores import CaseScore

        unsure = 1.0 - abs(2.0 * screening.probability - 1.0)
        return CaseScore(case_id, unsure, 0.0, screener.embedding(screening))

    @property
    def tasks(self) -> tuple[Task, ...]:
        return (
            Task(NETWORK, "Says how bright a lamp is, and nothing else.", _brightness, lambda classes: ("brightness",)),
        )

    def evaluate(self, request: Any) -> Any:
        from .figures import evaluate

        return evaluate(request)

    @property
    def demonstration(self) -> Any:
        from pneumoscreen.phantoms.studies import PhantomRequest

        return (PhantomRequest(1, 7, "on"),)

    def rehearsed(self) -> Any:
        from .rehearsal import LampSubject

        return LampSubject

    def phantoms(self, asked: Any) -> Any:
        from .figures import writer_of

        return writer_of(asked)


def _brightness(asked: Asked) -> Answer:
    image = asked.image
    note = f"brightness {image.brightness:.2f}"
    return Answer(Case(image.case_id, "LAMP", image.image_info(), asked.diagnosis, notes=(*image.notes, note)))


def _load(weights: Any) -> object:
    from .screening import Threshold

    return Threshold.load(weights)


def _recipe() -> Any:
    from .learning import LampRecipe

    return LampRecipe


METHOD = LampMethod()

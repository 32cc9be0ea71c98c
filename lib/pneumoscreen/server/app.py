"""The MONAI Label app of a server: its services, and this project's HTTP around them."""

import sys

from monailabel.interfaces.app import MONAILabelApp

from .http.application import take_over
from .http.prometheus import Figures
from .services import Services


class PneumoScreenApp(Services, MONAILabelApp):  # MONAI Label looks for its own class among the direct bases only
    """The app that MONAI Label finds in ``apps/pneumoscreen/main.py``."""

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        super().__init__(app_dir, studies, conf)
        self.figures = Figures(self)
        self.board.when_ended = self.figures.job_ended

    def on_init_complete(self) -> None:
        """Called once the server stands: from here on this project's HTTP answers."""
        super().on_init_complete()
        stock = sys.modules.get("monailabel.app")
        if stock is not None:
            take_over(stock.app, self, self.figures)
            self.begin()

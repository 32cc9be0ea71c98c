"""Training: start and stop, epoch, curve and time left, versions, what was published or refused, the way back."""

from typing import Any, List, Optional

from ..translation import _
from ..widgets import style
from ..widgets.columns import LEFT, RIGHT, Column, Columns
from ..wording import display_name
from .curve import curve_picture
from .records import Training, Version, versions_of

COLUMNS = (
    Column(_("Version"), _("Number of the published version."), ("888", "candidate"), LEFT),
    Column(_("In use"), _("Whether the server works with it."), (_("in use"),), LEFT),
    Column(_("Figure"), _("On the held-out cases; what the figure is stands over the curve."), ("0.888",), RIGHT),
    Column(_("Date"), _("When it was trained."), ("2026-11-28",), RIGHT, 1),
)
CURVE_HEIGHT = 110
TASKS = ("ct_classifier", "ct_candidates")


class TrainingPanel:
    """Shows the server's trainings; everything stays readable while one runs.

    Args:
        ui: widgets of the ``.ui`` file.
        trainings: starts, watches and stops them.
    """

    def __init__(self, ui: Any, trainings: Any) -> None:
        self.ui, self.trainings = ui, trainings
        self._tasks: List[str] = []
        style.prepare_table(ui.versionTable)
        self._cells = style.Cells(ui.versionTable, Columns(ui.versionTable, COLUMNS, 2).alignments)
        style.as_bar(ui.trainBar, style.PROGRESS)
        for label in (ui.publishedLabel, ui.rollbackLabel):
            style.as_quiet(label)
        ui.trainSection.connect("contentsCollapsed(bool)", lambda is_closed: None if is_closed else trainings.refresh())
        ui.startTrainButton.connect("clicked()", lambda: trainings.start(self.task))
        ui.stopTrainButton.connect("clicked()", trainings.stop)
        ui.rollbackButton.connect("clicked()", self._roll_back)
        ui.trainCombo.connect("currentIndexChanged(int)", self.update)
        ui.versionTable.connect("itemSelectionChanged()", self._switch_buttons)
        trainings.changed.connect(self.update)
        self.update()

    @property
    def task(self) -> str:
        """The chosen network."""
        index = self.ui.trainCombo.currentIndex
        return self._tasks[index] if 0 <= index < len(self._tasks) else TASKS[0]

    def update(self) -> None:
        """Show where training and versions stand."""
        self._show_tasks()
        self._show_training(Training.of(self.trainings.status))
        self._versions: List[Version] = versions_of(self.trainings.models, self.task)
        self.ui.versionTable.visible = bool(self._versions)
        self._cells.resize(len(self._versions))
        for row, version in enumerate(self._versions):
            self._cells.write(row, version.texts)
        self._switch_buttons()

    def _show_training(self, training: Optional[Training]) -> None:
        ui = self.ui
        has_curve = training is not None and len(training.points) > 0
        ui.curveLabel.visible = has_curve
        ui.trainBar.visible = training is not None and training.is_running
        ui.publishedLabel.visible = training is not None and bool(training.outcome)
        if training is None:
            ui.trainLabel.text = _("Nothing has been trained here yet.")
            return
        ui.trainLabel.text = training.headline
        ui.trainBar.maximum = 0 if training.fraction is None else 1000
        ui.trainBar.value = int(1000 * (training.fraction or 0.0))
        ui.publishedLabel.text = training.outcome
        if has_curve:
            width = max(int(ui.curveLabel.size.width()), 200)
            picture = curve_picture(
                training.points, (width, CURVE_HEIGHT), ui.curveLabel, training.in_use, training.metric_name
            )
            ui.curveLabel.setPixmap(picture)

    def _show_tasks(self) -> None:
        tasks = self.trainings.tasks or list(TASKS)
        if tasks != self._tasks:
            chosen = self.task
            self._tasks = tasks
            self.ui.trainCombo.blockSignals(True)
            self.ui.trainCombo.clear()
            self.ui.trainCombo.addItems([display_name(task) for task in tasks])
            self.ui.trainCombo.currentIndex = tasks.index(chosen) if chosen in tasks else 0
            self.ui.trainCombo.blockSignals(False)

    def _switch_buttons(self) -> None:
        for button, reason, tip in (
            (self.ui.startTrainButton, self.trainings.why_not_start(), _("Start a training; it runs on the server.")),
            (self.ui.stopTrainButton, self.trainings.why_not_stop(), _("Stop the training; its checkpoints stay.")),
            (self.ui.rollbackButton, self._why_not_roll_back(), _("Put the selected version into use.")),
        ):
            button.enabled = reason is None
            button.toolTip = reason or tip
        # Said beside the buttons as well: a tooltip of a button that is off is easily missed.
        self.ui.rollbackLabel.text = self.trainings.why_not_roll_back() or ""

    def _why_not_roll_back(self) -> Optional[str]:
        if len(self._versions) < 2:
            return self.trainings.why_not_roll_back() or _("There is no version before this one.")
        return self.trainings.why_not_roll_back()

    def _roll_back(self) -> None:
        row = self.ui.versionTable.currentRow()
        has_choice = bool(self.ui.versionTable.selectedItems()) and 0 <= row < len(self._versions)
        version = self._versions[row] if has_choice else None
        self.trainings.roll_back(self.task, None if version is None or version.is_current else version.number)

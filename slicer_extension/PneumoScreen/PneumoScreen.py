"""PneumoScreen in 3D Slicer: a radiologist reads, corrects, submits and trains. This file only wires."""

import os

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

from PneumoScreenLib.asking import Asking
from PneumoScreenLib.calls import Calls
from PneumoScreenLib.case_view import CaseView
from PneumoScreenLib.connection import Connection
from PneumoScreenLib.drafts import Drafts
from PneumoScreenLib.panels.connect import ConnectPanel, connection_of
from PneumoScreenLib.panels.correcting import CorrectingPanel
from PneumoScreenLib.panels.patches import PatchesPanel
from PneumoScreenLib.panels.regions import RegionsPanel
from PneumoScreenLib.panels.screening import ScreeningPanel
from PneumoScreenLib.panels.shortcuts import Shortcuts
from PneumoScreenLib.panels.status import StatusPanel
from PneumoScreenLib.panels.training import TrainingPanel
from PneumoScreenLib.panels.verdict import VerdictPanel
from PneumoScreenLib.panels.volumes import VolumesPanel
from PneumoScreenLib.panels.worklist import WorklistPanel
from PneumoScreenLib.panels.xray import XrayPanel
from PneumoScreenLib.session import Session
from PneumoScreenLib.submission import Submission
from PneumoScreenLib.trainings import Trainings

HELP = """
<p>Reads chest scans that a PneumoScreen server screened for pneumonia. <b>Research use only.</b></p>
<ol>
<li><b>Connect</b>: type the server's address and, where it asks for one, your token; press <i>Test connection</i>.</li>
<li><b>Next case</b> opens the case that teaches the most; or double-click one in the worklist.</li>
<li><b>Screen</b> finds and labels candidate regions.</li>
<li>Step through the regions with <b>N</b> and <b>P</b>. <b>1</b>, <b>2</b>, <b>3</b> label the region, <b>A</b> accepts
the model's label, <b>B</b> adds a box, <b>D</b> deletes one, <b>Ctrl+Z</b> and <b>Ctrl+Y</b> undo and redo. The
verdict follows at once.</li>
<li><b>Submit and next</b> (Ctrl+Return) stores your reading. Everything is kept on this computer until then.</li>
<li><b>Train</b>: a trainer starts a training; a model that is worse than the one in use is not published.</li>
</ol>
<p><i>Sample case</i> opens a synthetic CT; nothing is sent by it.</p>
"""


class PneumoScreen(ScriptedLoadableModule):
    """What Slicer shows of the module."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("PneumoScreen")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Pulmonary")]
        self.parent.dependencies = []
        self.parent.contributors = ["PneumoScreen contributors"]
        self.parent.helpText = _(HELP)
        self.parent.acknowledgementText = _(
            "The method is that of Xu et al., A Deep Learning System to Screen Novel Coronavirus Disease 2019 "
            "Pneumonia (2020). Research use only; not a medical device."
        )


class PneumoScreenLogic(ScriptedLoadableModuleLogic):
    """The session behind the panel; it can be driven without one.

    Args:
        settings: ``QSettings`` with the server's address; Slicer's own where not named.
        folder: for downloaded volumes and drafts; a folder of Slicer's settings where not named.
        program: Python interpreter of the helper process; Slicer's own where not named.
    """

    def __init__(self, settings=None, folder=None, program=None):
        ScriptedLoadableModuleLogic.__init__(self)
        self.settings = settings or slicer.app.userSettings()
        self.folder = folder or os.path.join(os.path.dirname(slicer.app.slicerUserSettingsFilePath), "PneumoScreen")
        self.calls = Calls(lambda: connection_of(self.settings), program)
        self.asking = Asking(self.calls)
        self.connection = Connection(self.asking, lambda: connection_of(self.settings)["reader"])
        drafts = Drafts(os.path.join(self.folder, "drafts"))
        self.session = Session(self.asking, self.connection, CaseView(), drafts, os.path.join(self.folder, "volumes"))
        self.submission = Submission(self.session)
        self.trainings = Trainings(self.asking, self.connection)

    def close(self):
        """End the helper process; unsubmitted work is in its drafts."""
        self.trainings.close()
        self.calls.close()


class PneumoScreenWidget(ScriptedLoadableModuleWidget):
    """The panel."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        self.logic = None

    def makeLogic(self):
        """The logic; a test gives another one."""
        return PneumoScreenLogic()

    def setup(self):
        """Load the panel and hand each section its widgets."""
        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/PneumoScreen.ui"))
        self.layout.addWidget(panel)
        self.ui = ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = logic = self.makeLogic()
        session, submission, connection = logic.session, logic.submission, logic.connection
        self.panels = [
            StatusPanel(ui, logic.asking),
            ConnectPanel(ui, connection, logic.settings),
            WorklistPanel(ui, session),
            VolumesPanel(ui, session, self.resourcePath("SampleData/phantom.nrrd"), slicer.app.temporaryPath),
            ScreeningPanel(ui, session),
            VerdictPanel(ui, session),
            RegionsPanel(ui, session),
            PatchesPanel(ui, session),
            CorrectingPanel(ui, session, submission),
            XrayPanel(ui, session),
            TrainingPanel(ui, logic.trainings),
        ]
        self.shortcuts = Shortcuts(slicer.util.mainWindow() or self.parent, session, submission)

    def enter(self):
        """The module is shown: its keys hold, and the time that a case is read counts."""
        self.shortcuts.set_enabled(True)
        self.logic.session.watch.resume()

    def exit(self):
        """Another module is shown: its keys are its own, and the case is not read."""
        self.shortcuts.set_enabled(False)
        self.logic.session.watch.pause()

    def cleanup(self):
        """The panel goes: its keys, its helper process and what it listens to go with it."""
        if self.logic is not None:
            self.shortcuts.close()
            self.logic.close()


class PneumoScreenTest(ScriptedLoadableModuleTest):
    """Runs the tests of ``Testing/Python`` from the module's "Reload and Test"; they need no server."""

    def runTest(self):
        """Run them all; the first failure is raised."""
        import unittest

        folder = os.path.join(os.path.dirname(__file__), "Testing", "Python")
        suite = unittest.defaultTestLoader.discover(folder, pattern="PneumoScreen*Test.py")
        result = unittest.TextTestRunner(verbosity=2).run(suite)
        self.assertGreater(result.testsRun, 0)
        self.assertTrue(result.wasSuccessful())

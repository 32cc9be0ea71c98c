"""PneumoScreen in 3D Slicer: a radiologist reads, corrects, submits and trains. This file only wires."""

import os
import sys

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from PneumoScreenLib.connection.asking import Asking
from PneumoScreenLib.connection.calls import Calls
from PneumoScreenLib.connection.connection import Connection
from PneumoScreenLib.connection.panel import ConnectPanel, connection_of
from PneumoScreenLib.connection.status_panel import StatusPanel
from PneumoScreenLib.connection.token_file import TokenFile
from PneumoScreenLib.reading.correcting_panel import CorrectingPanel
from PneumoScreenLib.reading.drafts import Drafts
from PneumoScreenLib.reading.patches_panel import PatchesPanel
from PneumoScreenLib.reading.regions_panel import RegionsPanel
from PneumoScreenLib.session.case_view import CaseView
from PneumoScreenLib.session.screening_panel import ScreeningPanel
from PneumoScreenLib.session.session import Session
from PneumoScreenLib.session.shortcuts import Shortcuts
from PneumoScreenLib.session.submission import Submission
from PneumoScreenLib.session.volumes_panel import VolumesPanel
from PneumoScreenLib.training.panel import TrainingPanel
from PneumoScreenLib.training.runs import Trainings
from PneumoScreenLib.verdict.panel import VerdictPanel
from PneumoScreenLib.viewing.panel import ViewingPanel
from PneumoScreenLib.worklist.ahead import Ahead
from PneumoScreenLib.worklist.panel import WorklistPanel
from PneumoScreenLib.xray.panel import XrayPanel

HELP = _("""
<p>Reads chest scans that a PneumoScreen server screened for pneumonia. <b>Research use only.</b></p>
<ol>
<li><b>Connect</b>: type the server's address and, where it asks for one, your token; press <i>Test connection</i>.</li>
<li><b>Next case</b> opens the case that teaches the most; or double-click one in the worklist.</li>
<li><b>Screen</b> finds and labels candidate regions.</li>
<li>One key a region: <b>1</b>, <b>2</b>, <b>3</b> label it, <b>A</b> accepts the model's label, and the next open one
is selected; <b>Shift+A</b> accepts the rest. <b>?</b> shows all keys. The verdict follows at once.</li>
<li><b>Submit and next</b> (Ctrl+Return) stores your reading. Everything is kept on this computer until then.</li>
<li><b>Train</b>: a trainer starts a training; a model that is worse than the one in use is not published.</li>
</ol>
<p><i>Try it</i> opens a synthetic CT with its stored screening; it needs no server.</p>
""")


class PneumoScreen(ScriptedLoadableModule):
    """What Slicer shows of the module."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("PneumoScreen")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Active Learning")]
        self.parent.dependencies = []
        self.parent.contributors = ["PneumoScreen contributors"]
        self.parent.helpText = HELP
        self.parent.acknowledgementText = _(
            "The method is that of Xu et al., A Deep Learning System to Screen Novel Coronavirus Disease 2019 "
            "Pneumonia (2020). Research use only; not a medical device."
        )


class PneumoScreenLogic(ScriptedLoadableModuleLogic):
    """The session behind the panel; it can be driven without one.

    Args:
        settings: ``QSettings`` with the server's address; Slicer's own where not named.
        folder: for downloaded volumes, drafts and the token; a folder of Slicer's settings where not named.
        program: Python interpreter of the helper process; Slicer's own where not named.
    """

    def __init__(self, settings=None, folder=None, program=None):
        ScriptedLoadableModuleLogic.__init__(self)
        self.settings = settings or slicer.app.userSettings()
        self.folder = folder or os.path.join(os.path.dirname(slicer.app.slicerUserSettingsFilePath), "PneumoScreen")
        self.token = TokenFile(os.path.join(self.folder, "token"))
        self.token.take_over(self.settings, "PneumoScreen/token")
        self.calls = Calls(lambda: connection_of(self.settings, self.token.read()), program)
        self.asking = Asking(self.calls)
        self.connection = Connection(self.asking, lambda: connection_of(self.settings, "")["reader"])
        drafts = Drafts(os.path.join(self.folder, "drafts"))
        self.session = Session(self.asking, self.connection, CaseView(), drafts, os.path.join(self.folder, "volumes"))
        self.submission = Submission(self.session)
        self.ahead = Ahead(self.session)
        self.trainings = Trainings(self.asking, self.connection)

    def close(self):
        """Leave the case and end the helper process; unsubmitted work is in its drafts."""
        self.ahead.close()
        self.session.leave()
        self.session.view.close()
        self.trainings.close()
        self.calls.close()


class PneumoScreenWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.shortcuts = None
        self.panel = None
        self.panels = []

    def makeLogic(self):
        """The logic; a test gives another one."""
        return PneumoScreenLogic()

    def setup(self):
        """Load the panel and hand each section its widgets."""
        ScriptedLoadableModuleWidget.setup(self)
        self.panel = panel = slicer.util.loadUI(self.resourcePath("UI/PneumoScreen.ui"))
        self.layout.addWidget(panel)
        self.ui = ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = logic = self.makeLogic()
        session, submission, connection = logic.session, logic.submission, logic.connection
        # One by one: what is there is closed, too, where the next one cannot be made.
        self.panels.append(StatusPanel(ui, logic.asking))
        self.panels.append(ConnectPanel(ui, connection, logic.settings, logic.token, session.study))
        self.panels.append(WorklistPanel(ui, session))
        sample = self.resourcePath("SampleData/phantom.nrrd")
        self.panels.append(VolumesPanel(ui, session, sample, slicer.app.temporaryPath))
        self.panels.append(ScreeningPanel(ui, session))
        self.panels.append(VerdictPanel(ui, session))
        self.panels.append(RegionsPanel(ui, session))
        self.panels.append(PatchesPanel(ui, session))
        self.panels.append(CorrectingPanel(ui, session, submission))
        self.panels.append(XrayPanel(ui, session))
        viewing = ViewingPanel(ui, session)
        self.panels.append(viewing)
        self.panels.append(TrainingPanel(ui, logic.trainings))
        self.shortcuts = Shortcuts(slicer.util.mainWindow() or self.parent, session, submission, viewing.actions)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.StartImportEvent, self.onSceneStartImport)

    def enter(self):
        """The module is shown: its keys hold, and the time that a case is read counts."""
        if self.shortcuts is not None:
            self.shortcuts.set_enabled(True)
            self.logic.session.watch.resume()

    def exit(self):
        """Another module is shown: its keys are its own, and the case is not read."""
        if self.shortcuts is not None:
            self.shortcuts.set_enabled(False)
            self.logic.session.watch.pause()

    def onSceneStartClose(self, caller, event):
        """The scene goes: what belongs to the case must not come into the next one."""
        self.logic.session.leave()

    def onSceneEndClose(self, caller, event):
        """The scene is empty: the panel says so."""
        self.logic.session.case_changed.emit()

    def onSceneStartImport(self, caller, event):
        """Somebody's scene comes, perhaps with another patient: the open case is left, its volume stays.

        Slicer says the same where a command-line module returns nodes: the case is then to be opened again.
        """
        self.logic.session.leave()

    def onReload(self):
        """Developers: reload the package, too, not this file alone."""
        for name in [name for name in sys.modules if name.split(".")[0] == "PneumoScreenLib"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def cleanup(self):
        """The panel goes, also one that was set up by half: all that it listens to, its keys and its helper process."""
        self.removeObservers()
        if self.shortcuts is not None:
            self.shortcuts.close()
        for panel in self.panels:
            # Not by class: Slicer 5.6 and 5.8 reload this file in place (`imp.load_module`), and names are new classes.
            if hasattr(panel, "close"):
                panel.close()
        if self.logic is not None:
            self.logic.close()
        if self.panel is not None:
            # Slicer hides a reloaded panel and keeps it: its node selectors shall follow the scene no longer.
            self.panel.setMRMLScene(None)
        self.shortcuts = self.logic = self.panel = None
        self.panels = []


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

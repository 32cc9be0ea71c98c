"""The panel inside the real application: it opens, offers what it should, refuses what it cannot do, and goes.

It makes a panel of its own, with settings and drafts in a temporary folder: those of the user are not touched. Run it
with ``Slicer --testing --python-script PneumoScreenPanelTest.py`` or by "Reload and Test". Where this project is tested
there is no application: there it runs on the doubles of the project's tests.
"""

import os
import shutil
import sys
import tempfile
import time
import unittest

import qt
import slicer

import PneumoScreen

NOBODY_LISTENS = "http://127.0.0.1:9"
LONGEST_S = 30.0


class PneumoScreenPanelTest(unittest.TestCase):
    """Needs no server."""

    def setUp(self):
        """A new scene, and a panel."""
        slicer.mrmlScene.Clear(False)
        self.folder = folder = tempfile.mkdtemp(prefix="PneumoScreen")
        settings = qt.QSettings(os.path.join(folder, "settings.ini"), qt.QSettings.IniFormat)
        settings.setValue("PneumoScreen/address", NOBODY_LISTENS)

        # Slicer finds a module's files by the name of its class.
        class PneumoScreenWidget(PneumoScreen.PneumoScreenWidget):
            def makeLogic(self):
                return PneumoScreen.PneumoScreenLogic(settings, folder)

        self.parent = slicer.qMRMLWidget()
        self.parent.setLayout(qt.QVBoxLayout())
        self.widget = PneumoScreenWidget(self.parent)
        self.widget.setup()
        self.widget.enter()
        self.ui, self.session = self.widget.ui, self.widget.logic.session

    def tearDown(self):
        """The panel goes with all that it made."""
        self.widget.exit()
        self.widget.cleanup()
        self.parent.setMRMLScene(None)
        self.parent.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def open_sample(self):
        """Open the case that comes with the extension."""
        self.session.open_sample(self.widget.resourcePath("SampleData/phantom.nrrd"))

    def test_without_a_server_only_the_sample_can_be_opened(self):
        """The buttons that need a server are off and say why."""
        self.assertFalse(self.ui.screenButton.enabled)
        self.assertIn("server", self.ui.screenButton.toolTip)
        self.assertTrue(self.ui.sampleButton.enabled)
        self.assertFalse(self.ui.startTrainButton.enabled)

    def test_the_sample_stands_in_the_views(self):
        """Its volume is the background of the axial view."""
        self.ui.sampleButton.click()
        volume = self.session.view.volume
        self.assertIsNotNone(volume)
        composite = slicer.app.layoutManager().sliceWidget("Red").sliceLogic().GetSliceCompositeNode()
        self.assertEqual(composite.GetBackgroundVolumeID(), volume.GetID())

    def test_a_closed_scene_leaves_the_case(self):
        """Nothing of it comes into the next scene."""
        self.open_sample()
        slicer.mrmlScene.Clear(False)
        self.assertIsNone(self.session.case_id)
        self.assertIsNone(self.session.view.volume)
        self.assertEqual(slicer.util.getNodesByClass("vtkMRMLMarkupsROINode"), [])

    def test_an_address_where_nobody_listens_gives_a_sentence_and_retry(self):
        """The user interface goes on meanwhile."""
        self.ui.connectButton.click()
        end = time.time() + LONGEST_S
        while self.widget.logic.connection.is_connecting and time.time() < end:
            slicer.app.processEvents()
            time.sleep(0.02)
        message = self.widget.logic.asking.message
        self.assertIsNotNone(message)
        self.assertIsNotNone(message.retry)
        self.assertNotIn("Traceback", message.text)


if __name__ == "__main__":
    outcome = unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromTestCase(PneumoScreenPanelTest))
    sys.exit(os.EX_OK if outcome.wasSuccessful() else 1)

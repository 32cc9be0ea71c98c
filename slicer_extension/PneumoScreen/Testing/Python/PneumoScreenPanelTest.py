"""The panel inside the real application: it opens, offers what it should, and refuses what it cannot do.

Written to Slicer's API and not run where this project is tested: there is no application there. Run it with
``Slicer --testing --python-script PneumoScreenPanelTest.py`` or by "Reload and Test".
"""

import os
import sys
import unittest

import slicer


class PneumoScreenPanelTest(unittest.TestCase):
    """Needs no server."""

    def setUp(self):
        """A new scene, and the module's panel."""
        slicer.mrmlScene.Clear()
        slicer.util.selectModule("PneumoScreen")
        self.widget = slicer.modules.pneumoscreen.widgetRepresentation().self()
        self.ui = self.widget.ui

    def test_without_a_server_only_the_sample_can_be_opened(self):
        """The buttons that need a server are off and say why."""
        self.widget.logic.connection.forget()
        self.assertFalse(self.ui.screenButton.enabled)
        self.assertIn("server", self.ui.screenButton.toolTip)
        self.assertTrue(self.ui.sampleButton.enabled)
        self.assertFalse(self.ui.startTrainButton.enabled)

    def test_the_sample_stands_in_the_views(self):
        """Its volume is the background of the axial view."""
        self.ui.sampleButton.click()
        volume = self.widget.logic.session.view.volume
        self.assertIsNotNone(volume)
        composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
        self.assertEqual(composite.GetBackgroundVolumeID(), volume.GetID())

    def test_an_address_where_nobody_listens_gives_a_sentence_and_retry(self):
        """The user interface goes on meanwhile."""
        self.ui.addressEdit.text = "http://127.0.0.1:9"
        self.ui.connectButton.click()
        for _ in range(600):
            slicer.app.processEvents()
            if not self.widget.logic.connection.is_connecting:
                break
            slicer.util.delayDisplay("waiting", 50)
        self.assertTrue(self.ui.statusFrame.visible)
        self.assertTrue(self.ui.retryButton.visible)
        self.assertNotIn("Traceback", self.ui.statusLabel.text)


if __name__ == "__main__":
    outcome = unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromTestCase(PneumoScreenPanelTest))
    sys.exit(os.EX_OK if outcome.wasSuccessful() else 1)

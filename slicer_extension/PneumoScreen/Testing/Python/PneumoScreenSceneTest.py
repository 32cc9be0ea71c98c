"""A case in the real scene: boxes stand where the document says, and a saved scene carries the draft.

Where this project is tested there is no application: there it runs on the doubles of the project's tests.
"""

import json
import os
import sys
import unittest

import slicer

LEFT_IN_LPS = (61.0, 14.0, -10.0)


class PneumoScreenSceneTest(unittest.TestCase):
    """Needs no server."""

    def setUp(self):
        """A new scene, and a case with one region in the patient's left lung."""
        slicer.mrmlScene.Clear(False)
        from PneumoScreenLib.contract import Case
        from PneumoScreenLib.session.case_view import CaseView

        self.view = CaseView()
        self.addCleanup(self.view.leave)
        region = {"id": "r1", "source": "model", "center_mm": list(LEFT_IN_LPS), "size_mm": [30.0, 20.0, 10.0]}
        region.update({"score": 0.9, "side": "left", "label": "covid19", "confidence": 0.9})
        region.update({"patches": [], "reader": None})
        image = {"size": [16, 16, 16], "spacing_mm": [1.0, 1.0, 1.0], "sha256": "0", "series_uid": None}
        document = {"schema": "pneumoscreen.case/2", "case_id": "case", "modality": "CT", "image": image}
        self.case = Case.from_dict({**document, "regions": [region]}).with_verdict()

    def test_a_box_on_the_left_stands_on_the_left(self):
        """LPS in the document, RAS in Slicer: x changes its sign."""
        self.view.show(self.case, "r1")
        nodes = slicer.util.getNodesByClass("vtkMRMLMarkupsROINode")
        self.assertEqual(len(nodes), 1)
        center = [0.0, 0.0, 0.0]
        nodes[0].GetCenterWorld(center)
        for found, expected in zip(center, (-61.0, -14.0, -10.0)):
            self.assertAlmostEqual(found, expected, places=4)
        self.assertTrue(nodes[0].GetDisplayNode().GetVisibility())

    def test_the_scene_carries_the_draft(self):
        """It is there after saving and loading."""
        self.view.keep(json.dumps({"case_id": "case", "case": self.case.to_dict()}))
        path = os.path.join(slicer.app.temporaryPath, "pneumoscreen.mrb")
        self.assertTrue(slicer.util.saveScene(path))
        self.view.leave()
        slicer.mrmlScene.Clear(False)
        self.assertIsNone(self.view.kept("case"))
        slicer.util.loadScene(path)
        self.assertEqual(self.view.kept("case")["case"]["case_id"], "case")


if __name__ == "__main__":
    outcome = unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromTestCase(PneumoScreenSceneTest))
    sys.exit(os.EX_OK if outcome.wasSuccessful() else 1)

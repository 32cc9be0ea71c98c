"""The server is killed in the middle of work: nothing is lost, and the work goes on where it was left."""

from pathlib import Path

import pytest
import SimpleITK as sitk
from tests.server.conftest import model_root, phantom, serving
from tests.slicer_extension.doubles.running_panel import running_panel

from pneumoscreen.case import Case
from pneumoscreen.images.volume import Volume

# The fixtures of the server's tests, used here by their names.
__all__ = ["model_root", "phantom"]


def test_a_killed_server_costs_no_correction(
    model_root: Path, phantom: Volume, tmp_path_factory: pytest.TempPathFactory
) -> None:
    studies, folder = tmp_path_factory.mktemp("studies"), tmp_path_factory.mktemp("panel")
    sitk.WriteImage(phantom.to_sitk(phantom.hu), studies / "case-a.nii.gz")
    with (
        serving(studies, model_root, tmp_path_factory) as first,
        running_panel(folder, address=first.client.address) as panel,
    ):
        panel.show()
        panel.connect()
        panel.open("case-a")
        panel.screen()
        region = panel.session.reading.selected
        panel.session.correct("influenza_a")
        first.process.kill()
        first.process.wait(20)

        panel.submit_partly_read()
        panel.wait(lambda: bool(panel.said) and not panel.logic.asking.is_busy)
        assert "cannot be reached" in panel.said and "Traceback" not in panel.said
        assert panel.ui.retryButton.visible
        assert panel.session.reading.is_modified and len(panel.kept) == 1
        following = panel.session.reading.selected
        panel.session.correct("irrelevant")
        assert panel.session.reading.region(following).reader.label == "irrelevant", "reading goes on without a server"

        with serving(studies, model_root, tmp_path_factory) as second:
            panel.logic.settings.setValue("PneumoScreen/address", second.client.address)
            panel.ui.retryButton.click()
            panel.wait(lambda: panel.session.is_submitted)
            kept = second.client.get("/pneumoscreen/annotations/case-a/1").json()["document"]
        labels = {each.id: each.reader.label for each in Case.from_dict(kept).regions if each.reader is not None}
        assert labels == {region: "influenza_a", following: "irrelevant"}
        assert panel.kept == []

"""A volume that is already in the scene, sent to the server; and the sample case."""

import os
import re
from typing import Any, Optional

from ..connection.asking import Message
from ..scene.volumes import SceneError, save_volume
from ..translation import _

SENT_AS_STORED = (".nrrd", ".nii", ".nii.gz", ".mha")


class VolumesPanel:
    """Sends a volume of the scene and opens the sample.

    Args:
        ui: widgets of the ``.ui`` file.
        session: takes both.
        sample: file of the sample case.
        temporary: folder for a volume that is in no file yet.
    """

    def __init__(self, ui: Any, session: Any, sample: str, temporary: str) -> None:
        self.ui, self.session, self._sample, self._temporary = ui, session, sample, temporary
        ui.sendButton.connect("clicked()", self._send)
        ui.sampleButton.connect("clicked()", self._open_sample)
        ui.volumeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.update)
        session.connection.server_changed.connect(self.update)
        session.asking.busy_changed.connect(self.update)
        self.update()

    def update(self) -> None:
        """A button that cannot be pressed says why."""
        reason = self._why_not_send()
        self.ui.sendButton.enabled = reason is None
        self.ui.sendButton.toolTip = reason or _("Send this volume to the server as a new case.")
        self.ui.sampleButton.enabled = not self.session.asking.is_busy

    def _why_not_send(self) -> Optional[str]:
        if self.session.asking.is_busy:
            return _("Wait for what is running, or cancel it.")
        if self.ui.volumeSelector.currentNode() is None:
            return _("Choose a volume of the scene.")
        return self.session.connection.why_not("send")

    def _open_sample(self) -> None:
        self.session.open_sample(self._sample)
        self.ui.volumeSelector.setCurrentNode(self.session.view.volume)

    def _send(self) -> None:
        node = self.ui.volumeSelector.currentNode()
        if node is not None:
            # The server takes plain names only.
            case_id = re.sub(r"[^A-Za-z0-9._-]+", "-", node.GetName()).strip("-.") or "volume"
            try:
                path = self._file_of(node, case_id)
            except SceneError as error:
                self.session.asking.say(Message(str(error), self._send, True))
                return
            self.session.send(path, case_id)

    def _file_of(self, node: Any, case_id: str) -> str:
        """The file of a volume, written where there is none that holds what is in the scene."""
        storage = node.GetStorageNode()
        path = storage.GetFileName() if storage is not None else None
        if path and path.endswith(SENT_AS_STORED) and os.path.isfile(path) and not node.GetModifiedSinceRead():
            return str(path)
        return save_volume(node, self._temporary, case_id)

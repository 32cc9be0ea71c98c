"""The reader's draft inside the scene: it is saved and restored with it."""

import json
from typing import Any, Dict, Optional

TAG = "PneumoScreen"
PARAMETER = "draft"


class Keeping:
    """Keeps one draft in a scene.

    Args:
        scene: MRML scene.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene

    def store(self, draft: Optional[Dict[str, Any]]) -> None:
        """Keep a draft in the place of the one before; None takes it out."""
        node = self._node()
        if draft is None:
            if node is not None:
                node.UnsetParameter(PARAMETER)
            return
        if node is None:
            node = self._scene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)
            node.SetSingletonTag(TAG)
            node.SetModuleName(TAG)
            node = self._scene.AddNode(node)
        # Plain ASCII: nothing that an XML file could take for its own.
        node.SetParameter(PARAMETER, json.dumps(draft))

    def load(self) -> Optional[Dict[str, Any]]:
        """The draft that the scene carries; None where there is none or it cannot be read."""
        node = self._node()
        text = node.GetParameter(PARAMETER) if node is not None else ""
        try:
            draft = json.loads(text) if text else None
        except ValueError:
            return None
        return draft if isinstance(draft, dict) else None

    def _node(self) -> Any:
        return self._scene.GetSingletonNode(TAG, "vtkMRMLScriptedModuleNode")

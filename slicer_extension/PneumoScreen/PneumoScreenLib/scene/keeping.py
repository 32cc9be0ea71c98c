"""The module's parameter node: the open case, its nodes and the reader's draft, saved and restored with the scene.

It is the node that ``ScriptedLoadableModuleLogic.getParameterNode`` gives out, so that other scripts find the case.
"""

import json
from typing import Any, Dict, Iterable, Optional

MODULE = "PneumoScreen"
CASE, DRAFT = "case", "draft"
"""Parameters."""
VOLUME, REGION = "volume", "region"
"""Roles of the node's references."""


class Keeping:
    """Keeps what a scene knows of the open case.

    Args:
        scene: MRML scene.
    """

    def __init__(self, scene: Any) -> None:
        self._scene = scene

    def begin(self, case_id: str, volume: Any) -> None:
        """Another case is open; the draft that the scene carries stays until it is read or replaced."""
        node = self._node() or self._new_node()
        node.SetParameter(CASE, case_id)
        node.SetNodeReferenceID(VOLUME, volume.GetID() if volume is not None else None)
        self.set_regions([])

    def set_regions(self, nodes: Iterable[Any]) -> None:
        """The nodes of the boxes that are shown."""
        node = self._node()
        if node is None:
            return
        wanted = [each.GetID() for each in nodes]
        kept = [node.GetNthNodeReferenceID(REGION, index) for index in range(node.GetNumberOfNodeReferences(REGION))]
        if wanted != kept:
            paused = node.StartModify()
            node.RemoveNodeReferenceIDs(REGION)
            for node_id in wanted:
                node.AddNodeReferenceID(REGION, node_id)
            node.EndModify(paused)

    def store(self, draft: Optional[str]) -> None:
        """Keep a draft in the place of the one before; None takes it out.

        Args:
            draft: JSON text, in plain ASCII: nothing that an XML file could take for its own.
        """
        node = self._node()
        if draft is not None:
            (node or self._new_node()).SetParameter(DRAFT, draft)
        elif node is not None:
            node.UnsetParameter(DRAFT)

    def load(self) -> Optional[Dict[str, Any]]:
        """The draft that the scene carries; None where there is none or it cannot be read."""
        node = self._node()
        text = node.GetParameter(DRAFT) if node is not None else ""
        try:
            draft = json.loads(text) if text else None
        except ValueError:
            return None
        return draft if isinstance(draft, dict) else None

    def end(self) -> None:
        """No case is open in this scene any more."""
        node = self._node()
        if node is not None:
            for name in (CASE, DRAFT):
                node.UnsetParameter(name)
            for role in (VOLUME, REGION):
                node.RemoveNodeReferenceIDs(role)

    def _node(self) -> Any:
        return self._scene.GetSingletonNode(MODULE, "vtkMRMLScriptedModuleNode")

    def _new_node(self) -> Any:
        node = self._scene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        node.SetSingletonTag(MODULE)
        # As Slicer's own `createParameterNode` marks it.
        node.SetAttribute("ModuleName", MODULE)
        node.SetName(MODULE)
        return self._scene.AddNode(node)

"""The boxes of a case in Slicer's Data tree: a folder of their own, and what a loaded scene brought along."""

from typing import Any

import slicer
import slicer.util

CASE_ATTRIBUTE = "PneumoScreen.case"
"""Of a node that belongs to a case: its name."""


class Folder:
    """The folder of a case in the subject hierarchy.

    Args:
        scene: MRML scene.
        case_id: name of the case.
    """

    def __init__(self, scene: Any, case_id: str) -> None:
        self._scene, self._name = scene, f"PneumoScreen {case_id}"

    def put(self, node: Any) -> None:
        """Let a node stand in the folder, which is made with the first one."""
        tree = self._tree()
        folder = self._item(tree) or tree.CreateFolderItem(tree.GetSceneItemID(), self._name)
        # In the application, plugins have made the item of a node that came into the scene.
        item = tree.GetItemByDataNode(node)
        if item:
            tree.SetItemParent(item, folder)
        else:
            tree.CreateItem(folder, node)

    def take_out(self, node: Any) -> None:
        """Take a node out of the tree and of the scene."""
        tree = self._tree()
        item = tree.GetItemByDataNode(node)
        if item:
            # The item alone: a node that goes with it is removed in another order without the application's plugins.
            tree.RemoveItem(item, False)
        remove_markup(self._scene, node)

    def remove_empty(self) -> None:
        """Take the folder out where nothing stands in it any more."""
        tree = self._tree()
        folder = self._item(tree)
        if folder and not tree.GetNumberOfItemChildren(folder):
            tree.RemoveItem(folder)

    def _item(self, tree: Any) -> int:
        return int(tree.GetItemChildWithName(tree.GetSceneItemID(), self._name))

    def _tree(self) -> Any:
        return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self._scene)


def remove_markup(scene: Any, node: Any) -> None:
    """Take a markup or model out of the scene with its display nodes; these first, or views go on drawing it."""
    displays = [node.GetNthDisplayNode(index) for index in range(node.GetNumberOfDisplayNodes())]
    for each in (*displays, node):
        if each is not None and scene.IsNodePresent(each):
            scene.RemoveNode(each)


def remove_leftovers(scene: Any, case_id: str) -> None:
    """Take out the boxes of a case that a loaded scene brought along: they are drawn from its document again."""
    folder = Folder(scene, case_id)
    for node in slicer.util.getNodesByClass("vtkMRMLMarkupsROINode"):
        if node.GetAttribute(CASE_ATTRIBUTE) == case_id:
            folder.take_out(node)
    folder.remove_empty()

"""A volume over the picture of the case in the slice views, with colours of its own: what such layers share."""

from typing import Any, Iterable, Optional, Set

from ..scene.views import layer_nodes, slice_nodes


class Layer:
    """One volume over the case, and over no other picture; a kind of layer says which place of a view it takes.

    Args:
        scene: MRML scene.

    Attributes:
        node: its volume node; None where there is none.
    """

    colour_name, colour_count = "PneumoScreen", 2

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._views: Optional[Set[str]] = None
        self._colours: Any = None
        self._is_visible = True
        self.node: Any = None

    def set_visible(self, is_visible: bool) -> None:
        """Switch it on or off, also for the next case."""
        self._is_visible = is_visible
        self._apply()

    def hide(self, is_hidden: bool) -> None:
        """Hide it for a moment, or show it again where it is switched on."""
        if is_hidden:
            self._lay(set())
        else:
            self._apply()

    def show_in(self, slice_views: Iterable[str]) -> None:
        """Show it in these slice views, by their ids: another picture than that of the case has none."""
        self._views = set(slice_views)
        self._apply()

    def clear(self) -> None:
        """The case goes: take it out of the scene."""
        self._drop()
        self._views = None

    def _shown_over(self, layers: Any) -> Optional[str]:
        """Id of the volume that has this layer's place in a view."""
        raise NotImplementedError

    def _put(self, layers: Any, volume_id: Optional[str]) -> None:
        """Give this layer's place in a view to a volume; None: to nothing, as Slicer has it."""
        raise NotImplementedError

    def _fill(self, colours: Any) -> None:
        """Write the colours of its values into a vtkMRMLColorTableNode."""
        raise NotImplementedError

    def _take(self, node: Any) -> None:
        """Let a volume be the layer, in the place of the one before."""
        # Which views show the case has not changed by this, and nobody tells it again.
        self._drop()
        # Made again at any time, so a saved scene need not carry it; and no volume to be sent as a case.
        node.SetSaveWithScene(False)
        node.SetHideFromEditors(True)
        if node.GetDisplayNode() is None:
            node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetAndObserveColorNodeID(self._colour_table().GetID())
        self.node = node
        self._apply()

    def _drop(self) -> None:
        self._lay(set())
        if self.node is not None and self._scene.IsNodePresent(self.node):
            self._scene.RemoveNode(self.node)
        self.node = None

    def _apply(self) -> None:
        views = slice_nodes()
        shown = set(views) if self._views is None else self._views & set(views)
        self._lay({views[each].GetLayoutName() for each in shown} if self._is_visible else set())

    def _lay(self, names: Set[str]) -> None:
        """Lay it over the pictures of the views of these names, and of no other."""
        if self.node is None or not self._scene.IsNodePresent(self.node):
            return
        own = self.node.GetID()
        for layers in layer_nodes():
            is_wanted = layers.GetLayoutName() in names
            if is_wanted != (self._shown_over(layers) == own):
                self._put(layers, own if is_wanted else None)

    def _colour_table(self) -> Any:
        if self._colours is None or not self._scene.IsNodePresent(self._colours):
            table = self._scene.AddNewNodeByClass("vtkMRMLColorTableNode", self.colour_name)
            table.SetTypeToUser()
            table.SetSaveWithScene(False)
            table.SetHideFromEditors(True)
            table.SetNumberOfColors(self.colour_count)
            self._fill(table)
            table.GetLookupTable().SetTableRange(0, self.colour_count - 1)
            self._colours = table
        return self._colours

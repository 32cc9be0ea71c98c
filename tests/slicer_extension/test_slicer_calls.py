"""What the extension asks of Slicer and VTK was looked up in all versions that it promises, 5.6 to 5.13.

The libraries here are those of one version. So each name that the source calls stands below, as it was found declared
in Slicer 5.6.2, 5.8.1, 5.10 and 5.13 (``Libs/``, ``Modules/``, ``Base/``), but for VTK's own, which are older than VTK
9; a new one is to be looked up there before it is added. ``docs/slicer.md`` says where the versions differ.
"""

import ast

import pytest
from tests.slicer_extension.doubles.scripted_module import MODULE

SOURCES = sorted(path for path in (MODULE / "PneumoScreenLib").rglob("*.py") if path.parent.name != "client")
UTIL = """
    RenderBlocker VTKObservationMixin arrayFromSegmentBinaryLabelmap arrayFromVTKMatrix arrayFromVolume
    getNodesByClass loadLabelVolume loadVolume setSliceViewerLayers updateVolumeFromArray vtkMatrixFromArray
"""
METHODS = """
    AddAndObserveDisplayNodeID AddControlPoint AddNewNodeByClass AddNode AddNodeReferenceID AddRepresentation
    AddSegment AutoOrientNormalsOn AutoWindowLevelOff ComputeNormalsOff ComputeScalarsOff CopyOrientation
    CreateDefaultDisplayNodes CreateFolderItem CreateItem CreateNodeByClass DeepCopy EndModify GetAttribute
    GetBackgroundVolumeID GetBinaryLabelmapRepresentationName GetCenterWorld GetComputedWorldValue
    GetCurrentInteractionMode GetDimensions GetDisplayNode GetElement GetEventPosition GetExtent GetFieldOfView
    GetFileName GetFirstRenderer GetFocalPoint GetForegroundVolumeID GetID GetIJKToRASDirectionMatrix
    GetIJKToRASMatrix GetImageData GetImageToWorldMatrix GetInteractionNode GetItemByDataNode GetItemChildWithName
    GetLabelVolumeID GetLayoutName GetLinkedControl GetLookupTable GetModifiedSinceRead GetName GetNodeByID
    GetNthDisplayNode GetNthNodeReferenceID GetNumberOfControlPoints GetNumberOfDefinedControlPoints
    GetNumberOfDisplayNodes GetNumberOfItemChildren GetNumberOfNodeReferences GetNumberOfViewNodeIDs
    GetObjectToNodeMatrix GetOrientation GetOutput GetOutputPort GetParameter GetPointData GetPosition
    GetRASToIJKMatrix GetRenderWindow GetRenderers GetRepresentation GetScalars GetScene GetSceneItemID GetSegment
    GetSegmentation GetSingletonNode GetSize GetSlabReconstructionTypeFromString GetSliceToRAS GetSpacing
    GetStorageNode GetSubjectHierarchyNode GetUniqueNameByString GetVisibility GetXYToRAS GetXYZOrigin Invert
    IsBatchProcessing IsClosing IsNodePresent MultiplyPoint ReadData RemoveAttribute RemoveItem RemoveNode
    RemoveNodeReferenceIDs RenderBlocker SetActivePlaceNodeID SetActiveScalarName SetAndObserveColorNodeID
    SetAndObserveDisplayNodeID SetAndObserveObjectToNodeMatrix SetAndObservePolyData SetAndObserveStorageNodeID
    SetAndObserveTransformNodeID SetAttribute SetBackfaceCulling SetBackgroundVolumeID SetColor SetCompositing
    SetCoordinateSystemToNormalizedDisplay SetCurrentInteractionMode SetData SetDimensions SetDisableModifiedEvent
    SetElement SetFieldOfView SetFileName SetFillOpacity SetFocalPoint SetForegroundOpacity SetForegroundVolumeID
    SetGeometryFromImageToWorldMatrix SetGlyphScale SetHandlesInteractive SetHideFromEditors SetIJKToRASMatrix
    SetInputConnection SetInputData SetItemParent SetLabelOpacity SetLabelValue SetLabelVolumeID SetLighting
    SetLineWidth SetLines SetLinkedControl SetLocked SetMatrix SetMatrixTransformToParent SetName
    SetNodeReferenceID SetNthControlPointLabel SetNthControlPointPosition SetNthControlPointVisibility
    SetNumberOfColors SetOpacity SetOrientation SetOrigin SetOutlineOpacity SetParameter SetPlaceModePersistence
    SetPointLabelsVisibility SetPoints SetPosition SetPropertiesLabelVisibility
    SetReferenceActivePlaceNodeClassName SetReferenceImageGeometryParameterFromVolumeNode
    SetRotationHandleVisibility SetSaveWithScene SetScalarRangeFlag SetScalarVisibility SetScalars
    SetScaleHandleVisibility SetSegmentOpacity2DFill SetSegmentVisibility SetSingleFile SetSingletonTag SetSize
    SetSlabReconstructionEnabled SetSlabReconstructionThickness SetSlabReconstructionType SetStandardDeviation
    SetTableRange SetTextScale SetTransform SetTranslationHandleVisibility SetTypeToUser SetUndoEnabled
    SetUseCompression SetValue SetViewNodeIDs SetVisibility SetVisibility2D SetWindowLevel SetWindowLevelMinMax
    SetXYZOrigin SplittingOff StartModify UnRegister UnsetParameter Update UpdateMatrices WriteData
"""
LATER = {"GetNumberOfAdditionalLayers", "SetNthLayerVolumeID"}
"""From 5.10 on; asked for only where they are there."""


def names(kind: str) -> set[str]:
    """The names of ``slicer.util`` or of methods that the source uses."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if kind == "util" and isinstance(node, ast.Attribute) and ast.unparse(node.value) == "slicer.util":
                found.add(node.attr)
            if kind == "util" and isinstance(node, ast.ImportFrom) and node.module == "slicer.util":
                found |= {alias.name for alias in node.names}
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
            if kind == "methods" and is_call and node.func.attr[:1].isupper():
                owner = ast.unparse(node.func.value)
                if owner not in ("qt", "style"):
                    found.add(node.func.attr)
    return found


@pytest.mark.parametrize(("kind", "known"), [("util", UTIL), ("methods", METHODS)])
def test_every_call_was_looked_up(kind: str, known: str) -> None:
    assert names(kind) == set(known.split()) | (LATER if kind == "methods" else set())


def test_the_layers_of_later_versions_are_asked_for_with_care() -> None:
    source = (MODULE / "PneumoScreenLib/scene/views.py").read_text(encoding="utf-8")
    assert 'if hasattr(layers, "GetNumberOfAdditionalLayers") else 0' in source

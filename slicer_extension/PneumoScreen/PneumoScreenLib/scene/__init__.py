"""The open case in Slicer's scene (MRML): volume, boxes, masks, views, and the draft that a saved scene carries."""

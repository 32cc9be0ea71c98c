"""The regions of a case as boxes in all views (MRML): drawn, clicked, dragged, placed and deleted."""

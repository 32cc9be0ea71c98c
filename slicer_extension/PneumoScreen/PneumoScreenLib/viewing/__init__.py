"""How a case is looked at: windows, slab, overlays, the map of keys."""

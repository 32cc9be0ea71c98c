"""The reading of a case: every correction, its course, drafts, the table of regions and its panels. No MRML."""

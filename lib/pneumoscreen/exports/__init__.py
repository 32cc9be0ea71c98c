"""Results, annotated cases and networks in the formats of other programs; each format in its own module."""

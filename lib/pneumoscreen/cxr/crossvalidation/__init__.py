"""Cross-validation of the networks of the X-ray method: what they learn from, and how much of it is the source."""

"""Which case to read next: how unsure the networks are of each, and how unlike the cases already read."""

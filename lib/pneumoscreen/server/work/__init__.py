"""Work on the cases: which to read next and who reads it, scoring, trainings, what is watched in the background."""

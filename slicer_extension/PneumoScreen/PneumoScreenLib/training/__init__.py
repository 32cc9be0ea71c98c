"""Trainings on the server: what is told of them, started, watched, stopped, rolled back."""

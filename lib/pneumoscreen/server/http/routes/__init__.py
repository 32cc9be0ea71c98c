"""The routes of this project, a file a subject."""

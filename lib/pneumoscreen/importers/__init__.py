"""Existing data into a studies folder: a module a layout, and what all layouts share."""

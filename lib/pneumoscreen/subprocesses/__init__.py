"""Processes of this program that do one thing for another one and may be killed over it."""

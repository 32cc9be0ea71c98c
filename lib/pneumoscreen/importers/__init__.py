"""Data that others labelled, brought into a studies folder as scans with case documents."""

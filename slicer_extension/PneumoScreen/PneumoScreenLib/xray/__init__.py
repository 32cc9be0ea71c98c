"""Chest X-rays: class, side and what spoke for the verdict."""

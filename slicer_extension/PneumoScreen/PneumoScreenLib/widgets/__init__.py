"""What the panels share: style, buttons with their keys, columns that are not cut, bars."""

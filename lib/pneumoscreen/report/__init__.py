"""What the pages of every method share, and the index over several cases."""

from .index import render_index, write_index
from .wording import summary_line

__all__ = ["render_index", "summary_line", "write_index"]

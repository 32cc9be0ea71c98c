"""Small scans and narrow networks, as the tests of the commands have them."""

from tests.commands.conftest import run, studies

__all__ = ["run", "studies"]

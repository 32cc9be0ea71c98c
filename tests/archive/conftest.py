"""Small scans and narrow networks, as the tests of the commands have them."""

from tests.commands.conftest import narrow_models, run, studies

__all__ = ["narrow_models", "run", "studies"]

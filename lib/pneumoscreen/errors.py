"""Errors that a user can mend: each message is one sentence with the name, the reason and the remedy.

Standard library only. The command line prints the message and exits with status 2; the server
answers 4xx with it. Anything that is not a ``PneumoScreenError`` is a fault of the program.
"""


class PneumoScreenError(Exception):
    """A mistake or an unusable input that its user can mend; ``str(error)`` is shown as it is."""


class ImageError(PneumoScreenError):
    """A file or folder that cannot be read as the image it should be."""


class NoLungsError(PneumoScreenError):
    """A readable volume that shows no lungs."""


class ConfigError(PneumoScreenError):
    """A setting that is unknown or out of range; the message names file and key."""


class ModelError(PneumoScreenError):
    """Weights that are absent, damaged or do not fit the network they are loaded into."""


class CaseError(PneumoScreenError):
    """A case document that breaks the contract; the message names the field."""


class Cancelled(Exception):
    """Raised by a progress callback to stop a running step; not a fault."""

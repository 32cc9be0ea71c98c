"""What can go wrong with a PACS; each message is a sentence that quotes nothing which may name a patient."""

from ..errors import PneumoScreenError


class PacsError(PneumoScreenError):
    """The PACS did not do what it was asked to."""


class PacsAwayError(PacsError):
    """The PACS does not answer, or cannot serve now."""


class PacsSlowError(PacsAwayError):
    """The PACS takes longer to answer than anybody waits."""


class PacsRefusedError(PacsError):
    """The PACS does not let this program in."""


class PacsRubbishError(PacsError):
    """The PACS answered what DICOMweb does not know."""


class PacsGoneError(PacsError):
    """What was asked for is not in the PACS."""


class CacheFullError(PneumoScreenError):
    """Series that are needed at one time take more than the cache may."""

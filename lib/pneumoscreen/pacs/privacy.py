"""Nothing that a header says of a patient reaches a log: other packages quote values in what they log and warn of."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_TALKATIVE = ("highdicom", "pydicom", "dicomweb_client", "retrying", "urllib3", "requests", "PIL", "matplotlib")


def silence() -> None:
    """Let nothing that other packages log or warn of be heard in this process any more, whatever its threads do."""
    warnings.simplefilter("ignore")
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [logging.NullHandler()], False


@contextmanager
def unlogged() -> Iterator[None]:
    """Keep what other packages log and warn of to nobody."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    were = [logger.disabled for logger in loggers]
    children = [
        child
        for name, child in logging.root.manager.loggerDict.items()
        if isinstance(child, logging.Logger) and name.startswith(tuple(f"{parent}." for parent in _TALKATIVE))
    ]
    loggers += children
    were += [child.disabled for child in children]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.disabled = True
        try:
            yield
        finally:
            for logger, was in zip(loggers, were, strict=True):
                logger.disabled = was

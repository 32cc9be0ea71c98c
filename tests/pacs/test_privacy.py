"""What other packages log and warn of while a header is at hand reaches nobody, and afterwards they speak again."""

import logging
import warnings

import pytest

from pneumoscreen.pacs.privacy import unlogged


def test_packages_are_silent_within_and_speak_afterwards(
    caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    loggers = [logging.getLogger(name) for name in ("highdicom.base", "pydicom", "dicomweb_client.web", "urllib3.x")]
    own = logging.getLogger("pneumoscreen.pacs")
    with unlogged():
        for logger in loggers:
            logger.error("Mustermann")
        own.warning("study 1.2.3")
        warnings.warn("Mustermann", stacklevel=1)
    assert [record.getMessage() for record in caplog.records] == ["study 1.2.3"]
    assert list(recwarn) == []
    loggers[0].error("speaks again")
    assert caplog.records[-1].getMessage() == "speaks again"


def test_what_was_silent_before_stays_so() -> None:
    logger = logging.getLogger("highdicom.seg")
    logger.disabled = True
    try:
        with unlogged():
            pass
        assert logger.disabled
    finally:
        logger.disabled = False

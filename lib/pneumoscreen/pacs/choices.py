"""What a site chooses by name."""

from enum import StrEnum


class Kernel(StrEnum):
    """Which reconstruction of a CT is taken where there are several; with ``any`` only the thickness counts."""

    SOFT = "soft"
    SHARP = "sharp"
    ANY = "any"


class Send(StrEnum):
    """Which results go to the PACS: none, those that readers submitted, those of screenings as well."""

    NONE = "none"
    SUBMITTED = "submitted"
    ALL = "all"

"""What a site chooses by name, and the variables that say who asks a PACS."""

from enum import StrEnum

PASSWORD, TOKEN = "PNEUMOSCREEN_PACS_PASSWORD", "PNEUMOSCREEN_PACS_TOKEN"


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

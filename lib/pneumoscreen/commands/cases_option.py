"""What ``evaluate --cases`` names: a table of scans, or how many synthetic cases."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import ConfigError

_NUMBER = re.compile(r"[+-]?\d+")


def table_of_cases(cases: str | None, where: Sequence[str], others: Mapping[str, bool]) -> Path | None:
    """The table that the option names; None where it is absent or a whole number.

    Args:
        cases: the option's value.
        where: conditions on the table's rows.
        others: options that do not go with a table, and whether each is given.

    Raises:
        ConfigError: if an option does not go with the others.
    """
    if cases is None or _NUMBER.fullmatch(cases):
        if where:
            raise ConfigError(f"--where {where[0]} needs --cases TABLE: synthetic cases have no columns")
        return None
    for option, given in others.items():
        if given:
            raise ConfigError(f"{option} does not go with --cases {cases}: the table names scans and their truth")
    return Path(cases)


def number_of_cases(cases: str | None) -> int | None:
    """How many synthetic cases the option asks for; None where it is absent.

    Raises:
        ConfigError: if it is below 1.
    """
    if cases is None:
        return None
    number = int(cases)
    if number < 1:
        raise ConfigError(f"--cases {cases}: at least 1 synthetic case is needed; for a table give its path")
    return number

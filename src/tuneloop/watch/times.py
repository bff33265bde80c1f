"""Moments as people write them."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from tuneloop.core.errors import DataError
from tuneloop.core.i18n import t

UNITS_S = {"m": 60, "h": 3600, "d": 86_400}
AGE = re.compile(r"([0-9]{1,6})([mhd])")


def moment(given: str | float | datetime | None, *, now: float | None = None) -> float | None:
    """Seconds since 1970, UTC.

    Args:
        given: those, a datetime, a date and time as 2026-01-31 or 2026-01-31T12:00:00+01:00, or an age as 30m, 24h, 7d;
            what names no zone is UTC.
        now: of which an age is counted.

    Raises:
        DataError: if it is none of these.
    """
    if given is None or isinstance(given, int | float):
        return given
    if isinstance(given, str):
        age = AGE.fullmatch(given)
        if age:
            return (time.time() if now is None else now) - int(age[1]) * UNITS_S[age[2]]
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            raise DataError(
                t("{given} is no moment.", given=str(given)[:80]),
                t("Write a date as 2026-01-31, with a time as 2026-01-31T12:00, or an age as 30m, 24h or 7d."),
            ) from None
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()


def shown(at: float) -> str:
    """A moment in UTC, such as 2026-01-31T12:00:00Z."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"

"""Periods that pictures show, cut into buckets."""

from __future__ import annotations

import datetime
from dataclasses import dataclass


__all__ = [
    "Period",
    "period_until",
]


EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(frozen=True)
class Period:
    """A period that is cut into buckets of the same width."""

    since: datetime.datetime
    width: datetime.timedelta
    buckets: int

    @property
    def until(self) -> datetime.datetime:
        """The end of the last bucket."""
        return self.edge(self.buckets)

    def edge(self, number: int) -> datetime.datetime:
        """The start of a bucket."""
        return self.since + number * self.width

    def place(self, moment: datetime.datetime) -> float:
        """Where a moment is: 0 at the start, and `buckets` at the end."""
        return (moment - self.since) / self.width


def period_until(
    at: datetime.datetime, length: datetime.timedelta, buckets: int
) -> Period:
    """A period whose last bucket contains a time.

    Buckets begin at multiples of their width, so that a picture does not
    change with each second.
    """
    width = length / buckets
    until = EPOCH + ((at - EPOCH) // width + 1) * width
    return Period(until - length, width, buckets)

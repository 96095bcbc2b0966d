"""Keeps strips from one snapshot to the next, while they look the same."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from canonical.launchpad.webapp.buckets import buckets_of
from canonical.launchpad.webapp.periods import Period
from canonical.launchpad.webapp.reading import reading
from canonical.launchpad.webapp.rows import Row
from canonical.launchpad.webapp.strips import Strip
from canonical.launchpad.webapp.strips import strip_of


__all__ = [
    "KeptStrips",
]


# A strip is made anew after this part of the time that one of its bars stands
# for: each 9 seconds for a day, each four and a half minutes for a month.
PART = 100

# So many strips are kept, of a few kilobytes each.
MOST = 3000


class KeptStrips:
    """The strips that somebody has looked at.

    A strip is made anew, too, when its script has another state or rule, and
    when its period begins later.
    """

    def __init__(self) -> None:
        self._kept: dict[Any, tuple[datetime.datetime, Strip]] = {}

    def get(
        self, rows: Sequence[Row], period: Period, at: datetime.datetime
    ) -> list[Strip]:
        """The strips of some rows.

        :param at: the time at which what is due is decided.
        """
        keys = [
            (period, row.name, row.hostname, row.state, row.rule)
            for row in rows]
        found = {
            key: kept for key in keys
            if (kept := self._kept.get(key)) is not None
            and at - kept[0] < period.width / PART}
        missing = [
            (key, row) for key, row in zip(keys, rows, strict=True)
            if key not in found]
        if missing:
            with reading():
                made = buckets_of([row for _, row in missing], period, at)
            new = {
                key: (at, strip_of(buckets, period))
                for (key, _), buckets in zip(missing, made, strict=True)}
            if len(self._kept) + len(new) > MOST:
                self._kept.clear()
            self._kept |= new
            found |= new
        return [found[key][1] for key in keys]

"""What the records say of a script, as figures."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from zope.interface import Interface


__all__ = [
    "Figures",
    "IScriptFiguresSet",
    "Inquiry",
]


class Inquiry(NamedTuple):
    """What is asked about a script on a host.

    :ivar hostname: `None` for any host.
    :ivar slots: aware datetimes in ascending order; a run belongs to the
        last one that is not later than its start.
    :ivar until: where the last slot ends.
    :ivar runs: over how many successes durations are asked for.
    :ivar skipped: the numbers of slots that do not count, from 1 on.
    """

    name: str
    hostname: str | None
    slots: tuple[datetime.datetime, ...]
    until: datetime.datetime
    runs: int
    skipped: tuple[int, ...] = ()


class Figures(NamedTuple):
    """What is known of a script on a host, at a time.

    Only successes that had completed by then count.

    :ivar last_started: when the success that started last did, or `None`.
    :ivar last_completed: when the last completion was, or `None`; whenever
        that run started.
    :ivar met: how many of the slots that count have a run.
    :ivar runs: how many runs there are in them.
    :ivar durations: of the last successes, in seconds, the latest first.
    :ivar running_since: when the attempt started that ran then, as far as is
        known: the first that is known for certain to run, or else the first;
        or `None`.
    :ivar running_is_seen: whether that is certain: its process was seen on
        this machine, or it has reported its end since.
    :ivar failures: how many attempts have failed since the last success.
    :ivar last_outcome: of the last attempt since then that has ended, or
        `None`.
    :ivar last_reason: why the last of those that failed did, or `None`.
    """

    last_started: datetime.datetime | None = None
    last_completed: datetime.datetime | None = None
    met: int = 0
    runs: int = 0
    durations: tuple[float, ...] = ()
    running_since: datetime.datetime | None = None
    running_is_seen: bool = False
    failures: int = 0
    last_outcome: str | None = None
    last_reason: str | None = None


class IScriptFiguresSet(Interface):
    """Figures, of any number of scripts at once.  A utility."""

    def getFigures(inquiries, at):
        """Figures that answer inquiries.

        :param inquiries: a sequence of `Inquiry`.
        :param at: an aware datetime; what has happened since is left out.
        :return: a list of `Figures`, in the same order, from a fixed number
            of statements.
        """

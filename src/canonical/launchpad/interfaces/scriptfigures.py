"""Figures of scripts, to be compared with rules."""

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
    """A question about a script on a host.

    :ivar hostname: `None` for any host.
    :ivar slots: aware datetimes in ascending order; a run belongs to the
        last one that is not later than its start.
    :ivar until: where the last slot ends.
    :ivar runs: of how many successes the durations are wanted.
    :ivar skipped: the numbers of slots that do not count, from 1 on.
    """

    name: str
    hostname: str | None
    slots: tuple[datetime.datetime, ...]
    until: datetime.datetime
    runs: int
    skipped: tuple[int, ...] = ()


class Figures(NamedTuple):
    """The figures of a script on a host, as of a time.

    Only successes that had completed by that time count.

    :ivar last_started: the start of the success that started last, or `None`.
    :ivar last_completed: the latest completion of any success, or `None`.
    :ivar met: how many of the slots that count have a run.
    :ivar runs: how many runs are in those slots.
    :ivar durations: of the last successes, in seconds, the latest first.
    :ivar running_since: the start of the attempt that ran at that time: the
        first one that certainly ran, or else the first that may have run; or
        `None`.
    :ivar running_is_seen: whether it certainly ran: its process was seen on
        this machine, or it has reported its end since.
    :ivar failures: how many attempts have failed since the last success.
    :ivar last_outcome: of the last attempt since the last success that has
        ended, or `None`.
    :ivar last_reason: why the last failure since then failed, or `None`.
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
        """The figures for each inquiry.

        :param inquiries: a sequence of `Inquiry`.
        :param at: an aware datetime; what happened later is left out.
        :return: a list of `Figures`, in the same order.  The number of SQL
            statements is the same for any number of inquiries.
        """

"""Figures of scripts, which are compared with rules."""

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
    :ivar slots: aware datetimes in ascending order.  A run belongs to the
        last slot that is not later than its start.
    :ivar until: the end of the last slot.
    :ivar runs: the number of last successes whose durations are returned.
    :ivar skipped: the numbers of slots that do not count; the first slot has
        the number 1.
    """

    name: str
    hostname: str | None
    slots: tuple[datetime.datetime, ...]
    until: datetime.datetime
    runs: int
    skipped: tuple[int, ...] = ()


class Figures(NamedTuple):
    """The figures of a script on a host at a given time.

    Only successes that had completed by that time count.

    :ivar last_started: the start of the success that started last, or `None`.
    :ivar last_completed: the latest completion of any success, or `None`.
    :ivar first_started: the start of the first success; `None` if that is from
        before the slots.
    :ivar met: the number of slots that count and have a run.
    :ivar runs: the number of runs in those slots.
    :ivar durations: the durations of the last successes, in seconds, the
        latest first.
    :ivar running_since: the start of the attempt that ran at that time; `None`
        if there is none.  Of several, the first that certainly ran, or else
        the first that may have run.
    :ivar running_is_seen: whether that attempt certainly ran: its process was
        seen on this machine, or it has recorded its end since.
    :ivar longest_running: the start of the attempt that ran longest at that
        time, or may have run; `None` if there is none.
    :ivar longest_pid: the id of its process.
    :ivar failures: the number of attempts that failed since the last success.
    :ivar last_outcome: the outcome of the last attempt that has ended since
        the last success, or `None`.
    :ivar last_reason: the reason of the last failure since the last success,
        or `None`.
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
    longest_running: datetime.datetime | None = None
    longest_pid: int | None = None
    first_started: datetime.datetime | None = None


class IScriptFiguresSet(Interface):
    """Figures of any number of scripts at once.  A utility."""

    def getFigures(inquiries, at):
        """The figures for each inquiry.

        :param inquiries: a sequence of `Inquiry`.
        :param at: an aware datetime; later events are left out.
        :return: a list of `Figures`, in the same order.  The number of SQL
            statements is the same for any number of inquiries.
        """

    def useFigures(inquiries, at, use):
        """Call a function with the figures for each inquiry, once each.

        PostgreSQL works on the next figures meanwhile.  So it takes less time
        to decide here than to decide when all are there.

        :param inquiries, at: as for `getFigures`.
        :param use: called with the index of an inquiry and its figures, in
            any order.  It must not use the database.
        """

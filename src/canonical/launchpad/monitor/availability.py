"""How many slots of past days were due, and were met."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import NamedTuple

from canonical.launchpad.interfaces import Beginning
from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import matched
from canonical.launchpad.monitor.pauses import is_due
from canonical.launchpad.monitor.pauses import pause_at
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.schedule import latest_slot
from canonical.launchpad.monitor.schedule import next_slot
from canonical.launchpad.monitor.schedule import slots_between


__all__ = [
    "DAY",
    "Tally",
    "first_counted",
    "midnight",
    "runs_until",
    "tallies",
]


DAY = datetime.timedelta(days=1)
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class Tally(NamedTuple):
    """How many slots of a day were due, and how many of them were met."""

    due: int = 0
    met: int = 0


def midnight(day: datetime.date) -> datetime.datetime:
    """The begin of a day in UTC."""
    return datetime.datetime(
        day.year, day.month, day.day, tzinfo=datetime.UTC)


def first_counted(
    case: Case, beginning: Beginning
) -> datetime.datetime | None:
    """From when on the slots of a case are counted.

    Earlier ones are counted already, or are from before the first run.

    :return: `None` if there is no run.
    """
    rule, started = case.expectation, beginning.started
    if beginning.counted is not None or started is None:
        return beginning.counted
    if rule.schedule is None:
        return _interval_at(started, rule.every)
    return latest_slot(rule.schedule, rule.timezone, started + case.lead)


def runs_until(case: Case, until: datetime.datetime) -> datetime.datetime:
    """The start of the first run that no slot before `until` can have."""
    expectation = case.expectation
    if expectation.schedule is None:
        return until
    return next_slot(
        expectation.schedule, expectation.timezone, until - INSTANT)


def tallies(
    case: Case,
    runs: Iterable[Run],
    since: datetime.datetime,
    until: datetime.datetime,
    at: datetime.datetime,
) -> dict[datetime.date, Tally]:
    """The tally of each day from `since` until before `until`, a midnight.

    A run meets a slot as in a check: see `matched`.

    :param runs: those on the host of the case, from the lead before `since`
        to `runs_until`.
    :param at: slots whose grace has not passed by then are left out.
    """
    span = _Span(since, until, at)
    found = (
        _intervals_met(case, runs, span)
        if case.expectation.schedule is None
        else _slots_met(case, list(runs), span))
    days = {
        since.date() + number * DAY: [0, 0]
        for number in range((until.date() - since.date()).days)}
    for moment, due, met in found:
        day = days[moment.date()]
        day[0] += due
        day[1] += met
    return {day: Tally(*numbers) for day, numbers in days.items()}


class _Span(NamedTuple):
    """What `tallies` counts in; see there."""

    since: datetime.datetime
    until: datetime.datetime
    at: datetime.datetime


def _slots_met(
    case: Case, runs: list[Run], span: _Span
) -> Iterable[tuple[datetime.datetime, int, int]]:
    expectation = case.expectation
    slots = [
        *slots_between(
            expectation.schedule, expectation.timezone, span.since,
            span.until),
        runs_until(case, span.until)]
    for slot, completions in list(matched(slots, runs, case.lead))[:-1]:
        if is_due(case.pauses, slot, expectation.grace, span.at):
            yield slot, 1, bool(completions)


def _intervals_met(
    case: Case, runs: Iterable[Run], span: _Span
) -> Iterable[tuple[datetime.datetime, int, int]]:
    """The intervals of a rule with `every`, and the runs that fill them.

    A check lets a window end at any time.  A day has as many intervals as
    begin in it, counted from 1970 on.
    """
    every, grace = case.expectation.every, case.expectation.grace
    due: dict[datetime.date, int] = {}
    begin = _interval_at(span.since + every - INSTANT, every)
    while begin < span.until and begin + every + grace <= span.at:
        if pause_at(case.pauses, begin) is None:
            due[begin.date()] = due.get(begin.date(), 0) + 1
        begin += every
    made: dict[datetime.date, int] = {}
    for run in runs:
        if span.since <= run.date_started < span.until and (
            pause_at(case.pauses, run.date_started) is None
        ):
            day = run.date_started.date()
            made[day] = made.get(day, 0) + 1
    for day, number in due.items():
        yield midnight(day), number, min(number, made.get(day, 0))


def _interval_at(
    moment: datetime.datetime, every: datetime.timedelta
) -> datetime.datetime:
    """The begin of the interval that contains a moment."""
    return EPOCH + (moment - EPOCH) // every * every

"""The slots of a schedule: when cron or systemd would start a script.

`cronsim` evaluates a schedule in its time zone as cron(8) does, and
`oncalendar` as systemd does, also when the clocks change.  All results are in
UTC.  A rule with ``every`` has no slots: it counts the time that has passed,
whatever the clocks show; see `interval_ends` in
`canonical.launchpad.monitor.states`.
"""

from __future__ import annotations

import bisect
import datetime
import functools
import itertools
from collections.abc import Iterator
from zoneinfo import ZoneInfo
from zoneinfo import ZoneInfoNotFoundError
from zoneinfo import available_timezones

from cronsim import CronSim
from cronsim import CronSimError
from oncalendar import OnCalendar
from oncalendar import OnCalendarError

from canonical.launchpad.nearest import nearest


__all__ = [
    "CACHED",
    "INSTANT",
    "ONCALENDAR",
    "check_schedule",
    "five_fields",
    "latest_slot",
    "next_slot",
    "shortest_period",
    "slots_between",
    "slots_of_period",
]


# See "Vixie cron" in crontab(5).
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

# What is before an expression as in systemd.time(7).
ONCALENDAR = "OnCalendar="

# Many scripts have the same schedule, and each needs the same slots often.
CACHED = 10_000

MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)

# The shortest time between two slots is looked for in a month from the first
# slot after this moment on, and in as many slots: a day of minutes.
PERIODS = datetime.datetime(2007, 1, 1, tzinfo=datetime.UTC)
MONTH = datetime.timedelta(days=35)
MANY = 1500

# An expression that starts in these starts in others too.
YEARS = (1980, 2150)


def five_fields(schedule: str) -> str:
    """The five fields of a schedule, also if it is a nickname."""
    return NICKNAMES.get(schedule.strip().lower(), schedule)


@functools.cache
def check_schedule(schedule: str, timezone: str) -> None:
    """Check a schedule and its time zone.

    :param schedule: five fields as in crontab(5), or a nickname such as
        ``@daily``, or ``OnCalendar=`` and expressions as in systemd.time(7)
        with semicolons between them.
    :param timezone: a name in the IANA time zone database.
    :raises ValueError: if the schedule or the zone is wrong, or if the
        schedule never fires.  The text says why.
    """
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"unknown time zone: {timezone!r}"
            f"{nearest(timezone, available_timezones())}") from None
    if schedule.startswith(ONCALENDAR):
        _check_calendar(schedule)
        return
    fields = five_fields(schedule).split()
    if len(fields) != 5:
        raise ValueError(
            f"not a schedule: {schedule!r}; expected five fields, as in"
            f" '*/10 * * * *', or one of {', '.join(NICKNAMES)}")
    try:
        next(CronSim(" ".join(fields), datetime.datetime(2007, 1, 1)))
    except CronSimError as error:
        raise ValueError(f"not a schedule: {schedule!r}: {error}") from None
    except StopIteration:
        raise ValueError(
            f"the schedule {schedule!r} never fires") from None


def _check_calendar(schedule: str) -> None:
    """Check expressions as in systemd.time(7).

    :raises ValueError: if there is something wrong with them; says what.
    """
    expression = schedule.removeprefix(ONCALENDAR)
    for year in YEARS:
        try:
            starts = _calendar(
                schedule, datetime.datetime(year, 1, 1, tzinfo=datetime.UTC))
            first = next(starts, None)
        except OnCalendarError as error:
            raise ValueError(
                f"not an OnCalendar expression: {expression!r}: {error}"
            ) from None
        if first is None:
            raise ValueError(
                f"{expression!r} starts in some years only, or never")
        later = next(itertools.islice(starts, 59, None), None)
        if later is not None and later - first < HOUR:
            raise ValueError(
                f"{expression!r} starts more than once a minute")


@functools.cache
def shortest_period(schedule: str) -> datetime.timedelta:
    """The shortest time between two slots, where no clocks change."""
    first = next_slot(schedule, "UTC", PERIODS)
    slots = itertools.islice(
        _between(schedule, "UTC", first, first + MONTH), MANY)
    return min((
        after - before for before, after in itertools.pairwise(slots)),
        default=MONTH)


@functools.lru_cache(CACHED)
def slots_between(
    schedule: str,
    timezone: str,
    since: datetime.datetime,
    until: datetime.datetime,
) -> tuple[datetime.datetime, ...]:
    """The slots from `since` until just before `until`, in UTC, in order."""
    return tuple(_between(schedule, timezone, since, until))


@functools.lru_cache(8)
def slots_of_period(
    schedule: str,
    timezone: str,
    since: datetime.datetime,
    until: datetime.datetime,
) -> tuple[datetime.datetime, ...]:
    """As `slots_between`, for long periods; only a few results are cached."""
    return tuple(_between(schedule, timezone, since, until))


@functools.lru_cache(CACHED)
def next_slot(
    schedule: str, timezone: str, after: datetime.datetime
) -> datetime.datetime:
    """The first slot that is later than `after`."""
    return next(_slots(schedule, timezone, after))


@functools.lru_cache(CACHED)
def latest_slot(
    schedule: str, timezone: str, until: datetime.datetime
) -> datetime.datetime:
    """The last slot that is not later than `until`."""
    # Slots are only found forwards, over longer and longer spans.  An hour is
    # enough for most of what has many slots.  A day is the usual window of a
    # rule, whose slots are cached.
    for days in 1 / 24, 1, 32, 400, 366 * 9, 366 * 45:
        since = until - datetime.timedelta(days=days) + INSTANT
        slots = slots_between(schedule, timezone, since, until + INSTANT)
        if slots:
            return slots[-1]
    raise ValueError(f"a schedule without a slot before {until}: {schedule!r}")


def _between(
    schedule: str,
    timezone: str,
    since: datetime.datetime,
    until: datetime.datetime,
) -> Iterator[datetime.datetime]:
    last = None
    for slot in _slots(schedule, timezone, since - INSTANT):
        if slot >= until:
            break
        # Two local times may be the same instant.
        if slot != last:
            yield slot
            last = slot


def _slots(
    schedule: str, timezone: str, after: datetime.datetime
) -> Iterator[datetime.datetime]:
    """The slots later than `after`, in UTC."""
    zone = (
        datetime.UTC if timezone == "UTC" else ZoneInfo(timezone))
    if schedule.startswith(ONCALENDAR):
        # From an hour that the clocks repeat it would start in the first.
        for slot in _calendar(schedule, after.astimezone(zone) - 3 * HOUR):
            if slot > after:
                yield slot.astimezone(datetime.UTC)
        return
    cron, times = _cron(schedule)
    day = after.astimezone(zone).date()
    while True:
        begin, end = (
            datetime.datetime.combine(each, datetime.time(), zone)
            for each in (day, day + DAY))
        midnight = begin.astimezone(datetime.UTC)
        if begin.utcoffset() != end.utcoffset():
            yield from _stepped(
                schedule, zone, max(midnight - MINUTE, after), end)
        elif day.month in cron.months and cron.match_day(day):
            first = bisect.bisect_right(times, after - midnight)
            yield from [midnight + time for time in times[first:]]
        day += DAY


@functools.lru_cache(CACHED)
def _cron(schedule: str) -> tuple[CronSim, list[datetime.timedelta]]:
    """What knows the days of a schedule, and the times of each day.

    `cronsim` steps through the minutes of a day, which takes long.  On all
    days on which no clocks change, the times are the same.
    """
    cron = CronSim(five_fields(schedule), datetime.datetime.min)
    return cron, [
        datetime.timedelta(hours=hour, minutes=minute)
        for hour in sorted(cron.hours) for minute in sorted(cron.minutes)]


def _stepped(
    schedule: str,
    zone: datetime.tzinfo,
    after: datetime.datetime,
    until: datetime.datetime,
) -> Iterator[datetime.datetime]:
    """The slots later than `after`, until just before `until`, in UTC."""
    for slot in CronSim(five_fields(schedule), after.astimezone(zone)):
        slot = slot.astimezone(datetime.UTC)
        if slot >= until:
            break
        if slot > after:
            yield slot


def _calendar(
    schedule: str, after: datetime.datetime
) -> Iterator[datetime.datetime]:
    """When systemd starts something; in the zone of `after`.

    :raises OnCalendarError: if an expression is wrong.
    """
    expressions = schedule.removeprefix(ONCALENDAR).split(";")
    slots: Iterator[datetime.datetime] = OnCalendar(
        "\n".join(each.strip() for each in expressions), after)
    return slots


# The least difference between two times.
INSTANT = datetime.timedelta(microseconds=1)

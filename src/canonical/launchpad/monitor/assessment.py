"""The three questions: recently, often enough, in sensible time?

What decides is here, and is pure: an expectation, figures and a time go in,
and an assessment comes out.
"""

from __future__ import annotations

import datetime
import functools
import statistics
from dataclasses import dataclass

from canonical.launchpad.interfaces import Figures
from canonical.launchpad.interfaces import Inquiry
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.monitor.durations import duration_text
from canonical.launchpad.monitor.schedule import CACHED
from canonical.launchpad.monitor.schedule import latest_slot
from canonical.launchpad.monitor.schedule import next_slot
from canonical.launchpad.monitor.schedule import slots_between


__all__ = [
    "Assessment",
    "Often",
    "Recently",
    "Runtime",
    "STATES",
    "assess",
    "inquiry",
]


# From the best to the worst.
STATES = ("ok", "paused", "unknown", "warning", "critical")

# By how much a clock may be behind that of the schedule.
EARLY = datetime.timedelta(minutes=1)

# A learned runtime is compared with at most this many earlier runs, and not
# before there are so many in all.
EARLIER_RUNS = 200
FEWEST_RUNS = 10

# A runtime is suspicious if it is off by more than this many scaled median
# absolute deviations, and by this ratio.  The scale makes the deviation that
# of a normal distribution; see Rousseeuw and Croux, "Alternatives to the
# Median Absolute Deviation" (1993).
DEVIATIONS = 3.0
SCALE = 1.4826
RATIO = 1.5


@dataclass(frozen=True)
class Recently:
    """Has it run recently?"""

    state: str
    sentence: str
    last_success: datetime.datetime | None
    next_due: datetime.datetime | None


@dataclass(frozen=True)
class Often:
    """Does it run as often as it should?"""

    state: str
    sentence: str
    due: int
    met: int
    extra: int


@dataclass(frozen=True)
class Runtime:
    """Is its average runtime sensible?"""

    state: str
    sentence: str
    runs: int
    average_seconds: float | None


@dataclass(frozen=True)
class Assessment:
    """How a script does, compared with what is expected of it."""

    name: str
    hostname: str | None
    recently: Recently
    often: Often
    runtime: Runtime
    figures: Figures

    @property
    def state(self) -> str:
        """The worst of the three."""
        return max(
            (self.recently.state, self.often.state, self.runtime.state),
            key=STATES.index)


def inquiry(
    expectation: IScriptExpectation,
    hostname: str | None,
    at: datetime.datetime,
) -> Inquiry:
    """What has to be known for an assessment."""
    slots, until = _slots(expectation, at)
    return Inquiry(
        name=expectation.name,
        hostname=hostname,
        slots=slots,
        until=until,
        runs=expectation.runs + (EARLIER_RUNS if expectation.learned else 0),
    )


def assess(
    expectation: IScriptExpectation,
    hostname: str | None,
    figures: Figures,
    at: datetime.datetime,
) -> Assessment:
    """How a script does at a time.

    :param figures: what `inquiry` has asked for.
    :param at: an aware datetime.
    """
    return Assessment(
        name=expectation.name,
        hostname=hostname,
        recently=_recently(expectation, figures, at),
        often=_often(expectation, figures, at),
        runtime=_runtime(expectation, figures),
        figures=figures,
    )


def _slots(
    expectation: IScriptExpectation, at: datetime.datetime
) -> tuple[tuple[datetime.datetime, ...], datetime.datetime]:
    """The starts of the slots that are due, early as they may be met; and
    the end of the last.

    A slot is due once its grace has passed.
    """
    due_until = at - expectation.grace
    if expectation.schedule is None:
        return _intervals(
            expectation.every, expectation.window, due_until), at
    return _scheduled(
        expectation.schedule, expectation.timezone, expectation.window,
        due_until)


def _intervals(
    every: datetime.timedelta,
    window: datetime.timedelta,
    until: datetime.datetime,
) -> tuple[datetime.datetime, ...]:
    count = max(window // every, 1)
    return tuple(until - number * every for number in range(count, 0, -1))


@functools.lru_cache(CACHED)
def _scheduled(
    schedule: str,
    timezone: str,
    window: datetime.timedelta,
    due_until: datetime.datetime,
) -> tuple[tuple[datetime.datetime, ...], datetime.datetime]:
    instant = datetime.timedelta(microseconds=1)
    slots = slots_between(
        schedule, timezone, due_until - window + instant, due_until + instant)
    end = next_slot(schedule, timezone, due_until)
    return tuple(slot - EARLY for slot in slots), end - EARLY


def _recently(
    expectation: IScriptExpectation,
    figures: Figures,
    at: datetime.datetime,
) -> Recently:
    last = figures.last_started
    if expectation.schedule is None:
        completed = figures.last_completed
        patience = expectation.every + expectation.grace
        late = completed is None or completed + patience < at
        due = None if completed is None else completed + expectation.every
        missing = f"for more than {duration_text(patience)}"
    else:
        slot = latest_slot(
            expectation.schedule, expectation.timezone,
            at - expectation.grace)
        late = last is None or last < slot - EARLY
        due = next_slot(expectation.schedule, expectation.timezone, at)
        missing = f"since it was due at {_when(slot)}"
    if not late:
        return Recently("ok", f"last succeeded at {_when(last)}", last, due)
    if last is None:
        said = "has never succeeded"
        state = "critical"
    else:
        said = f"has not succeeded {missing}; last at {_when(last)}"
        state = expectation.severity
    return Recently(state, f"{said}: {_why(figures, at)}", last, due)


def _why(figures: Figures, at: datetime.datetime) -> str:
    """Why it is late, as far as its attempts tell."""
    if figures.running_since is not None:
        running = duration_text(at - figures.running_since)
        return (
            f"still running, for {running}, since"
            f" {_when(figures.running_since)}")
    if figures.last_outcome == "skipped":
        return "skipped, since another held its lock"
    if figures.failures:
        times = "once" if figures.failures == 1 else (
            f"{figures.failures} times in a row")
        if figures.last_outcome == "vanished":
            return f"vanished, failed {times}"
        reason = f", last with {figures.last_reason}" if (
            figures.last_reason) else ""
        return f"failed {times}{reason}"
    return "never started"


def _often(
    expectation: IScriptExpectation,
    figures: Figures,
    at: datetime.datetime,
) -> Often:
    due = len(_slots(expectation, at)[0])
    # Intervals have no fixed ends that a run could miss by a little.
    met = figures.met if expectation.schedule else min(figures.runs, due)
    extra = figures.runs - met
    window = duration_text(expectation.window)
    state = "ok"
    sentence = f"met {met} of {due} slots in {window}"
    if due - met > expectation.missed:
        state = expectation.severity
        sentence += f", and may miss {expectation.missed}"
    if expectation.extra is not None and extra > expectation.extra:
        state = expectation.severity
        sentence += (
            f", and ran {extra} times more than that, of which"
            f" {expectation.extra} are allowed")
    return Often(state, sentence, due, met, extra)


def _runtime(expectation: IScriptExpectation, figures: Figures) -> Runtime:
    recent = figures.durations[:expectation.runs]
    average = statistics.fmean(recent) if recent else None
    if average is None:
        state, sentence = "ok", "has no runs to take an average of"
    elif expectation.learned:
        state, sentence = _compare(
            expectation, recent, figures.durations[expectation.runs:])
    else:
        state, sentence = _within(expectation, average, len(recent))
    return Runtime(state, sentence, len(recent), average)


def _within(
    expectation: IScriptExpectation, average: float, runs: int
) -> tuple[str, str]:
    """Is the average within the band?"""
    took = datetime.timedelta(seconds=average)
    sentence = f"took {duration_text(took)} on average of {runs}"
    low, high = expectation.average_min, expectation.average_max
    if low is not None and took < low:
        return expectation.severity, (
            f"{sentence}, and should take {duration_text(low)} or more")
    if high is not None and took > high:
        return expectation.severity, (
            f"{sentence}, and should take {duration_text(high)} or less")
    return "ok", sentence


def _compare(
    expectation: IScriptExpectation,
    recent: tuple[float, ...],
    earlier: tuple[float, ...],
) -> tuple[str, str]:
    """Are recent runs as long as earlier ones?"""
    if len(earlier) < FEWEST_RUNS:
        return "ok", (
            f"still learning how long it takes: {len(earlier)} earlier runs of"
            f" {FEWEST_RUNS}")
    now = statistics.median(recent)
    usual = statistics.median(earlier)
    deviation = SCALE * statistics.median(
        abs(duration - usual) for duration in earlier)
    sentence = (
        f"takes {_seconds(now)}, as the median of {len(recent)}, and"
        f" {_seconds(usual)} usually")
    shorter, longer = sorted((now, usual))
    is_off = (
        longer - shorter > DEVIATIONS * deviation
        and longer > RATIO * shorter)
    return (expectation.severity if is_off else "ok"), sentence


def _seconds(seconds: float) -> str:
    return duration_text(datetime.timedelta(seconds=seconds))


def _when(moment: datetime.datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"

"""Answers the three questions: recently, often enough, in sensible time?

These are pure functions.  They take a case, figures and a time, and return an
assessment.  `canonical.launchpad.monitor.states` decides the states.  This
module writes the sentences.
"""

from __future__ import annotations

import datetime
import statistics
from dataclasses import dataclass
from typing import NamedTuple

from canonical.config.durations import duration_text
from canonical.launchpad.interfaces import FOREVER
from canonical.launchpad.interfaces import Figures
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import Pause
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import slots_at
from canonical.launchpad.monitor.pauses import pause_at
from canonical.launchpad.monitor.runtime import is_fast
from canonical.launchpad.monitor.runtime import running_sentence
from canonical.launchpad.monitor.runtime import runs_too_long
from canonical.launchpad.monitor.runtime import runtime_sentence
from canonical.launchpad.monitor.schedule import next_slot
from canonical.launchpad.monitor.states import first_due
from canonical.launchpad.monitor.states import intervals_extra
from canonical.launchpad.monitor.states import intervals_met
from canonical.launchpad.monitor.states import latest_due
from canonical.launchpad.monitor.states import often_state
from canonical.launchpad.monitor.states import recently_state
from canonical.launchpad.monitor.states import runtime_state
from canonical.launchpad.plaintext import counted
from canonical.launchpad.plaintext import time_text


__all__ = [
    "Assessment",
    "Often",
    "Recently",
    "Runtime",
    "STATES",
    "assess",
    "script_on_host",
]


# From the best to the worst.
STATES = ("ok", "paused", "waiting", "unknown", "warning", "critical")


class Recently(NamedTuple):
    """Has it run recently?

    :ivar trouble: what is wrong, in a word or two for a subject, such as
        ``MISSED``; `None` if nothing is.  The other answers have it too.
    """

    state: str
    sentence: str
    last_success: datetime.datetime | None
    next_due: datetime.datetime | None
    trouble: str | None = None


class Often(NamedTuple):
    """Does it run as often as it should?"""

    state: str
    sentence: str
    due: int
    met: int
    extra: int
    trouble: str | None = None


class Runtime(NamedTuple):
    """Is its average runtime sensible?"""

    state: str
    sentence: str
    runs: int
    average_seconds: float | None
    trouble: str | None = None


@dataclass(frozen=True)
class Assessment:
    """The answers to the three questions about a script on a host."""

    name: str
    hostname: str | None
    recently: Recently
    often: Often
    runtime: Runtime
    figures: Figures
    tags: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """The worst state of the three answers."""
        return max(
            (self.recently.state, self.often.state, self.runtime.state),
            key=STATES.index)


def script_on_host(name: str, hostname: str | None) -> str:
    """The name of a script, and the host if the rule names one."""
    return f"{name} on {hostname}" if hostname else name


def assess(
    case: Case, figures: Figures, at: datetime.datetime
) -> Assessment:
    """The assessment of a script at a given time.

    :param figures: the figures for `matching.inquiry`.
    :param at: an aware datetime.
    """
    recently = _recently(case, figures, at)
    often = _often(case, figures, at)
    runtime = _runtime(case.expectation, figures, at)
    pause = pause_at(case.pauses, at)
    if pause is not None:
        said = _paused(pause)
        recently = recently._replace(
            state="paused", sentence=said, trouble=None)
        often = often._replace(state="paused", sentence=said, trouble=None)
        runtime = runtime._replace(
            state="paused", sentence=said, trouble=None)
    return Assessment(
        case.expectation.name, case.hostname, recently, often, runtime,
        figures, case.expectation.tags)


def _recently(
    case: Case, figures: Figures, at: datetime.datetime
) -> Recently:
    expectation = case.expectation
    last = figures.last_started
    completed = figures.last_completed
    slot = due = None
    if expectation.schedule is not None:
        slot = latest_due(case, at)
        due = next_slot(expectation.schedule, expectation.timezone, at)
    elif completed is not None:
        due = completed + expectation.every
    state = recently_state(
        case, slot, last, completed, at, figures.failures)
    punctual = recently_state(case, slot, last, completed, at)
    if punctual in ("ok", "paused"):
        sentence = (
            f"last succeeded at {time_text(last)}" if last
            else _not_due_yet(case, at))
        if state == "critical":
            sentence = f"{_failures(figures)}; {sentence}"
        elif state == "paused" and last:
            # A script that is new is forgiven, too.
            sentence += "; was paused, and is not due again yet"
    else:
        sentence = _late(case, slot, figures, at)
    trouble = None
    if state not in ("ok", "paused"):
        trouble = "FAILED" if figures.failures else (
            "MISSED" if figures.running_since is None else "SLOW")
    return Recently(state, sentence, last, due, trouble)


def _not_due_yet(case: Case, at: datetime.datetime) -> str:
    due = first_due(case, at)
    return "has never succeeded" + (
        ", and is not due yet" if due == FOREVER
        else f"; first due at {time_text(due)}")


def _late(
    case: Case,
    slot: datetime.datetime | None,
    figures: Figures,
    at: datetime.datetime,
) -> str:
    expectation = case.expectation
    last = figures.last_started
    if last is None:
        return f"has never succeeded: {_why(figures, at) or 'never started'}"
    if expectation.schedule is None:
        patience = expectation.every + expectation.grace
        due = f"no success for more than {duration_text(patience)}"
    else:
        assert slot is not None, "without one that is due it is not late"
        due = f"was due at {time_text(slot)}"
    return (
        f"{due}; last succeeded at {time_text(last)}:"
        f" {_why(figures, at) or 'not started since then'}")


def _why(figures: Figures, at: datetime.datetime) -> str:
    """Why a script is late, as its attempts show; empty if there are none."""
    since = figures.running_since
    if since is not None and not figures.running_is_seen:
        return f"has not reported its end since {time_text(since)}"
    if since is not None:
        running = duration_text(at - since)
        return f"still running, for {running}, since {time_text(since)}"
    if figures.last_outcome == "skipped":
        return "skipped, since another run held its lock"
    return _failures(figures) if figures.failures else ""


def _failures(figures: Figures) -> str:
    times = "once" if figures.failures == 1 else (
        f"{figures.failures} times in a row")
    if figures.last_outcome == "vanished":
        return f"vanished; failed {times}"
    return f"failed {times}" + (
        f", last with {figures.last_reason}" if figures.last_reason else "")


def _often(case: Case, figures: Figures, at: datetime.datetime) -> Often:
    expectation = case.expectation
    due = slots_at(case, at).due
    met, extra = figures.met, figures.runs - figures.met
    if expectation.schedule is None:
        met = intervals_met(due, figures.runs)
        extra = intervals_extra(expectation, due, figures.runs)
    state = often_state(expectation, due - met, extra)
    window = duration_text(expectation.window)
    sentence = (
        f"{met} of {counted(due, 'scheduled run')} in the last {window}"
        if due else f"no run was due in the last {window}")
    if due - met > expectation.missed:
        allowed = counted(expectation.missed, "miss", "misses")
        sentence += f" ({allowed} allowed)"
    if expectation.extra is not None and extra > expectation.extra:
        sentence += (
            f", and {counted(extra, 'extra run')}"
            f" ({expectation.extra} allowed)")
    trouble = None
    if state != "ok":
        trouble = "MISSED" if due - met > expectation.missed else "TOO OFTEN"
    return Often(state, sentence, due, met, extra, trouble)


def _runtime(
    expectation: IScriptExpectation,
    figures: Figures,
    at: datetime.datetime,
) -> Runtime:
    recent = figures.durations[:expectation.runs]
    earlier = figures.durations[expectation.runs:]
    since = figures.longest_running
    running = None if since is None else at - since
    sentence = runtime_sentence(expectation, recent, earlier)
    if since is not None and runs_too_long(expectation, earlier, running):
        sentence = f"{running_sentence(expectation, figures, at)}; {sentence}"
    state = runtime_state(expectation, recent, earlier, running)
    trouble = None
    if state != "ok":
        trouble = "FAST" if running is None and is_fast(
            expectation, recent, earlier) else "SLOW"
    return Runtime(
        state,
        sentence,
        len(recent),
        statistics.fmean(recent) if recent else None,
        trouble)


def _paused(pause: Pause) -> str:
    if pause.date_ended == FOREVER:
        return f"{pause.reason}, since {time_text(pause.date_started)}"
    return f"{pause.reason}, until {time_text(pause.date_ended)}"

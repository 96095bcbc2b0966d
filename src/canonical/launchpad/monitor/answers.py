"""Answers the three questions: recently, often enough, in sensible time?

These are pure functions.  They take a case, figures and a time, and return an
assessment.  `canonical.launchpad.monitor.states` decides the states, and
`canonical.launchpad.monitor.sentences` writes the sentences.
"""

from __future__ import annotations

import datetime
import statistics
from dataclasses import dataclass
from typing import Any
from typing import NamedTuple

from canonical.launchpad.interfaces import Figures
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.monitor.firstseen import NEW
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import slots_at
from canonical.launchpad.monitor.pauses import pause_at
from canonical.launchpad.monitor.runtime import is_fast
from canonical.launchpad.monitor.schedule import next_slot
from canonical.launchpad.monitor.sentences import average_sentence
from canonical.launchpad.monitor.sentences import often_sentence
from canonical.launchpad.monitor.sentences import paused_sentence
from canonical.launchpad.monitor.sentences import recently_sentence
from canonical.launchpad.monitor.states import intervals_extra
from canonical.launchpad.monitor.states import intervals_met
from canonical.launchpad.monitor.states import latest_due
from canonical.launchpad.monitor.states import often_state
from canonical.launchpad.monitor.states import recently_state
from canonical.launchpad.monitor.states import runtime_state


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

    :ivar sentence: the answer in words.
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
        first = self.recently.state
        # Mostly all three are ok.
        if first == self.often.state == self.runtime.state:
            return first
        return max(
            first, self.often.state, self.runtime.state, key=STATES.index)


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
    if pause is not None and pause.reason != NEW:
        paused: dict[str, Any] = {
            "state": "paused", "sentence": paused_sentence(pause),
            "trouble": None}
        recently = recently._replace(**paused)
        often = often._replace(**paused)
        runtime = runtime._replace(**paused)
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
    trouble = None
    if state not in ("ok", "paused"):
        trouble = "FAILED" if figures.failures else (
            "MISSED" if figures.running_since is None else "SLOW")
    return Recently(
        state, recently_sentence(case, slot, figures, state, at),
        last, due, trouble)


def _often(case: Case, figures: Figures, at: datetime.datetime) -> Often:
    expectation = case.expectation
    due = slots_at(case, at).due
    met, extra = figures.met, figures.runs - figures.met
    if expectation.schedule is None:
        met = intervals_met(due, figures.runs)
        extra = intervals_extra(expectation, due, figures.runs)
    state = often_state(expectation, due - met, extra)
    trouble = None
    if state != "ok":
        trouble = "MISSED" if due - met > expectation.missed else "TOO OFTEN"
    return Often(
        state, often_sentence(expectation, due, met, extra),
        due, met, extra, trouble)


def _runtime(
    expectation: IScriptExpectation,
    figures: Figures,
    at: datetime.datetime,
) -> Runtime:
    recent = figures.durations[:expectation.runs]
    earlier = figures.durations[expectation.runs:]
    since = figures.longest_running
    running = None if since is None else at - since
    state = runtime_state(expectation, recent, earlier, running)
    trouble = None
    if state != "ok":
        trouble = "FAST" if running is None and is_fast(
            expectation, recent, earlier) else "SLOW"
    return Runtime(
        state,
        average_sentence(expectation, figures, recent, earlier, at),
        len(recent),
        statistics.fmean(recent) if recent else None,
        trouble)

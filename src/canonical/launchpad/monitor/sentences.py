"""The sentences of the answers."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from canonical.config.durations import duration_text
from canonical.launchpad.interfaces import FOREVER
from canonical.launchpad.interfaces import Figures
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import Pause
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.runtime import runs_too_long
from canonical.launchpad.monitor.runtime import runtime_sentence
from canonical.launchpad.monitor.runtime import usual_duration
from canonical.launchpad.monitor.states import first_due
from canonical.launchpad.monitor.states import recently_state
from canonical.launchpad.plaintext import counted
from canonical.launchpad.plaintext import time_text


__all__ = [
    "average_sentence",
    "often_sentence",
    "paused_sentence",
    "recently_sentence",
]


def recently_sentence(
    case: Case,
    slot: datetime.datetime | None,
    figures: Figures,
    state: str,
    at: datetime.datetime,
) -> str:
    last = figures.last_started
    # Only failures make another state critical.
    punctual = state if state != "critical" else recently_state(
        case, slot, last, figures.last_completed, at)
    if punctual not in ("ok", "paused"):
        return _late(case, slot, figures, at)
    sentence = (
        f"last succeeded at {time_text(last)}" if last
        else _not_due_yet(case, at))
    if state == "critical":
        return f"{_failures(figures)}; {sentence}"
    if state == "paused" and last:
        # A script that is new is forgiven, too.
        sentence += "; was paused, and is not due again yet"
    return sentence


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


def often_sentence(
    expectation: IScriptExpectation, due: int, met: int, extra: int
) -> str:
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
    return sentence


def average_sentence(
    expectation: IScriptExpectation,
    figures: Figures,
    recent: Sequence[float],
    earlier: Sequence[float],
    at: datetime.datetime,
) -> str:
    sentence = runtime_sentence(expectation, recent, earlier)
    since = figures.longest_running
    if since is not None and runs_too_long(expectation, earlier, at - since):
        return f"{_running(expectation, figures, at)}; {sentence}"
    return sentence


def _running(
    expectation: IScriptExpectation,
    figures: Figures,
    at: datetime.datetime,
) -> str:
    """The answer about a run that runs for too long, as a sentence."""
    since = figures.longest_running
    assert since is not None, "what does not run does not run for too long"
    runs = "still running" if figures.running_is_seen else (
        "has not reported its end")
    usual = usual_duration(expectation, figures.durations)
    if usual is not None:
        expected = f"usually {duration_text(usual)}"
    else:
        expected = f"expected at most {duration_text(expectation.average_max)}"
    return (
        f"{runs} after {duration_text(at - since)}, since {time_text(since)}"
        f" (process {figures.longest_pid}; {expected})")


def paused_sentence(pause: Pause) -> str:
    if pause.date_ended == FOREVER:
        return f"{pause.reason}, since {time_text(pause.date_started)}"
    return f"{pause.reason}, until {time_text(pause.date_ended)}"

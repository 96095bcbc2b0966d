"""When a script should have run and did not."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass

from canonical.launchpad.monitor.inference.evidence import count_text
from canonical.launchpad.monitor.inference.evidence import seconds_text
from canonical.launchpad.monitor.inference.evidence import when_text
from canonical.launchpad.monitor.inference.intervals import Interval
from canonical.launchpad.monitor.inference.matching import Match
from canonical.launchpad.monitor.inference.matching import Times


__all__ = [
    "Gap",
    "gaps_between_completions",
    "gaps_evidence",
    "gaps_of_slots",
]


# How many gaps on each host are told of.
TOLD = 3


@dataclass(frozen=True)
class Gap:
    """A gap in a history.

    :ivar hostname: `None` if any host will do.
    :ivar since: seconds since 1970 UTC; likewise `until`.
    :ivar what: in words.
    """

    hostname: str | None
    since: float
    until: float
    what: str


def gaps_of_slots(
    matched: Match,
    runs: Sequence[Times],
    hostname: str | None,
    since: float,
) -> list[Gap]:
    """The slots without a run.

    :param runs: those that `matched` is of.
    :param since: when the history begins, of any host.
    """
    gaps = []
    if matched.slots[0] - since >= matched.slots[1] - matched.slots[0]:
        gaps.append(_gap_before(hostname, since, matched.slots[0], runs))
    for stretch in matched.stretches():
        first, last = (matched.slots[each] for each in (
            stretch[0], stretch[-1]))
        until = f" to {when_text(last)}" if last > first else ""
        end = last + matched.slots[1] - matched.slots[0]
        gaps.append(Gap(
            hostname, first, last,
            f"no run{_on(hostname)} for {count_text(len(stretch), 'slot')},"
            f" at {when_text(first)}{until}{_stuck(first, end, runs)}"))
    return gaps


def gaps_between_completions(
    interval: Interval,
    runs: Sequence[Times],
    hostname: str | None,
    since: float,
    until: float,
    patience: float,
) -> list[Gap]:
    """The times without a completion.

    :param runs: those that `interval` is of.
    :param since: when the history begins, of any host, in seconds since 1970
        UTC; likewise `until`, when it ends.
    :param patience: from a completion to the next, in seconds.
    """
    last = max(run.completed for run in runs)
    found = [*interval.gaps]
    if until - last > patience:
        found.append((last, until))
    gaps = []
    if runs[0].started - since > patience:
        gaps.append(_gap_before(hostname, since, runs[0].started, runs))
    return gaps + [
        Gap(hostname, start, end,
            f"none completed{_on(hostname)} from {when_text(start)} to"
            f" {when_text(end)}{_stuck(start, end, runs)}")
        for start, end in found]


def _gap_before(
    hostname: str | None, since: float, until: float, runs: Sequence[Times]
) -> Gap:
    return Gap(
        hostname, since, until,
        f"no run{_on(hostname)} before {when_text(runs[0].started)}")


def gaps_evidence(gaps: Iterable[Gap]) -> Iterable[str]:
    """The longest first."""
    by_host: dict[str | None, list[Gap]] = {}
    for gap in gaps:
        by_host.setdefault(gap.hostname, []).append(gap)
    for hostname, found in by_host.items():
        found.sort(key=lambda gap: gap.since - gap.until)
        for gap in found[:TOLD]:
            yield f"gap: {gap.what}"
        if len(found) > TOLD:
            yield f"gap: {len(found) - TOLD} more{_on(hostname)}"


def _on(hostname: str | None) -> str:
    return f" on {hostname}" if hostname is not None else ""


def _stuck(since: float, until: float, runs: Sequence[Times]) -> str:
    """Did a run take too long in the most of it, rather than none start?"""
    for run in runs:
        if 2 * (min(run.completed, until) - max(run.started, since)) > (
                until - since):
            return (
                f"; a run that began at {when_text(run.started)} took"
                f" {seconds_text(run.duration)}")
    return ""

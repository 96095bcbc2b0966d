"""Metrics for Prometheus, from assessments."""

from __future__ import annotations

import datetime
import os
import tempfile
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from canonical.launchpad.monitor.answers import STATES
from canonical.launchpad.monitor.answers import Assessment
from canonical.launchpad.monitor.incidents import Key
from canonical.launchpad.plaintext import printable


__all__ = [
    "IncidentCounts",
    "exposition",
    "write_metrics",
]


def _timestamp(moment: datetime.datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


# Name, help, and the value of an assessment; `None` has no sample.
METRICS: list[tuple[str, str, Callable[[Assessment], float | None]]] = [
    ("last_success_timestamp_seconds",
     "When the last success of the script started.",
     lambda each: _timestamp(each.figures.last_started)),
    ("last_duration_seconds",
     "How long the last success took.",
     lambda each: each.figures.durations[0] if each.figures.durations
     else None),
    ("average_duration_seconds",
     "How long the last successes took on average.",
     lambda each: each.runtime.average_seconds),
    ("slots_due",
     "How many slots of the schedule were due in the window.",
     lambda each: each.often.due),
    ("slots_met",
     "How many of the slots that were due have been met.",
     lambda each: each.often.met),
    ("running_since_timestamp_seconds",
     "When the attempt started that has not reported its end.",
     lambda each: _timestamp(each.figures.running_since)),
    ("consecutive_failures",
     "How many attempts have failed since the last success.",
     lambda each: each.figures.failures),
]


class IncidentCounts(NamedTuple):
    """The numbers of incidents, by script and host.

    :ivar now: those that are open.
    :ivar lately: those that opened in the last day.
    """

    now: Mapping[Key, int]
    lately: Mapping[Key, int]


def exposition(
    assessments: list[Assessment], incidents: IncidentCounts
) -> str:
    """The metrics in Prometheus' exposition format.

    A host that does not matter is an empty label.  The format is simple, and
    with 10,000 scripts a client library would take seconds.
    """
    labels = [_labels(each) for each in assessments]
    lines = []
    for name, words, value in METRICS:
        lines += _heading(name, words)
        samples = map(value, assessments)
        lines += [
            f"scriptactivity_{name}{{{label}}} {float(sample)!r}"
            for label, sample in zip(labels, samples, strict=True)
            if sample is not None]
    for name, words, numbers in (
        ("open_incidents", "How many incidents of the script are open.",
         incidents.now),
        ("incidents_last_day",
         "How many incidents of the script opened in the last day.",
         incidents.lately),
    ):
        lines += _heading(name, words)
        lines += [
            f"scriptactivity_{name}{{{label}}}"
            f" {float(numbers.get((each.name, each.hostname), 0))!r}"
            for label, each in zip(labels, assessments, strict=True)]
    lines += _heading("state", "The script is in this state, or is not.")
    lines += [
        f'scriptactivity_state{{{label},state="{name}"}}'
        f" {float(each.state == name)!r}"
        for label, each in zip(labels, assessments, strict=True)
        for name in STATES]
    tags = [
        f'scriptactivity_tag{{{label},tag="{_escaped(tag)}"}} 1.0'
        for label, each in zip(labels, assessments, strict=True)
        for tag in each.tags]
    if tags:
        lines += [*_heading("tag", "The rule of the script has this tag."),
                  *tags]
    return "\n".join([*lines, ""])


def _heading(name: str, words: str) -> list[str]:
    return [
        f"# HELP scriptactivity_{name} {words}",
        f"# TYPE scriptactivity_{name} gauge"]


def write_metrics(path: Path, metrics: str) -> None:
    """Put the metrics in a file, of which others see all or nothing.

    A link is followed: the file that it leads to is replaced.  As the
    textfile collector needs it, everyone may read the file.

    :raises OSError: if it cannot be written, or is no regular file; then it
        is as it was.
    """
    umask = os.umask(0o022)
    try:
        # A link that leads to itself exists not, but can be replaced.
        with suppress(FileNotFoundError):
            path.stat()
        if path.exists() and not path.is_file():
            raise OSError(
                "not a regular file; --prometheus without FILE prints the"
                " metrics")
        target = os.path.realpath(path)
        # Nobody can guess the name of a file in here, and make it a link.
        with tempfile.TemporaryDirectory(
            dir=os.path.dirname(target), prefix=".scriptactivity-"
        ) as directory:
            whole = Path(directory) / "metrics"
            whole.write_text(metrics, encoding="utf-8")
            whole.replace(target)
    except OSError as error:
        raise OSError(f"{path}: {error.strerror or error}") from None
    finally:
        os.umask(umask)


def _labels(assessment: Assessment) -> str:
    """Which script, and on which host, as labels."""
    return (
        f'script="{_escaped(assessment.name)}",'
        f'host="{_escaped(assessment.hostname or "")}"')


def _escaped(text: str) -> str:
    """The value of a label."""
    return printable(text).replace("\\", "\\\\").replace('"', '\\"')

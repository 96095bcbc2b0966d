"""Metrics for Prometheus, from assessments."""

from __future__ import annotations

import datetime
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client import Gauge
from prometheus_client import generate_latest
from prometheus_client import write_to_textfile

from canonical.launchpad.monitor.answers import STATES
from canonical.launchpad.monitor.answers import Assessment
from canonical.launchpad.plaintext import printable


__all__ = [
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


def exposition(assessments: list[Assessment]) -> str:
    """The metrics in Prometheus' exposition format."""
    text: bytes = generate_latest(_metrics(assessments))
    return text.decode()


def write_metrics(path: Path, assessments: list[Assessment]) -> None:
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
            write_to_textfile(target, _metrics(assessments), tmpdir=directory)
    except OSError as error:
        raise OSError(f"{path}: {error.strerror or error}") from None
    finally:
        os.umask(umask)


def _metrics(assessments: list[Assessment]) -> CollectorRegistry:
    """A host that does not matter is an empty label."""
    registry = CollectorRegistry()
    for name, words, value in METRICS:
        gauge = Gauge(
            f"scriptactivity_{name}", words, ["script", "host"],
            registry=registry)
        for each in assessments:
            sample = value(each)
            if sample is not None:
                gauge.labels(*_labels(each)).set(sample)
    state = Gauge(
        "scriptactivity_state", "The script is in this state, or is not.",
        ["script", "host", "state"], registry=registry)
    for each in assessments:
        for name in STATES:
            state.labels(*_labels(each), name).set(each.state == name)
    return registry


def _labels(assessment: Assessment) -> tuple[str, str]:
    """Which script, and on which host."""
    return printable(assessment.name), printable(assessment.hostname or "")

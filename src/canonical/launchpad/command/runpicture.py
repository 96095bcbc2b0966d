"""For ``show``: the last runs, as a picture of durations and a list."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Sequence

from canonical.config.durations import rounded_text
from canonical.launchpad.command.printing import end_for_people
from canonical.launchpad.command.printing import for_people
from canonical.launchpad.interfaces import EndedRun
from canonical.launchpad.plaintext import printable


__all__ = [
    "PICTURED",
    "run_lines",
]


# How many runs are in the picture if it has room, and how many are listed.
PICTURED = 70
LISTED = 4

# What a duration is drawn with, from the shortest to the longest.
BLOCKS = "▁▂▃▄▅▆▇█"
DIGITS = "12345678"
MARKS = {"skipped": "-"}
FAILED = "x"


def run_lines(runs: Sequence[EndedRun], room: int) -> list[str]:
    """A picture of the durations, what it means, and the last runs.

    :param room: how many runs fit in a line.
    """
    if not runs:
        return ["none has ended"]
    runs = runs[:max(LISTED, room)]
    marks = BLOCKS if _can_show(BLOCKS) else DIGITS
    took = [_seconds(run) for run in runs if run.outcome == "success"]
    longest = max(took, default=0.0)
    picture = "".join(
        marks[_height(_seconds(run), longest, len(marks))]
        if run.outcome == "success" else MARKS.get(run.outcome, FAILED)
        for run in reversed(runs))
    meaning = [
        f"{marks[-1]} {rounded_text(datetime.timedelta(seconds=longest))}"
        if took else "",
        f"{FAILED} failed" if FAILED in picture else "",
        "- skipped" if "-" in picture else ""]
    hosts = max(len(printable(run.hostname)) for run in runs[:LISTED])
    return [
        picture,
        f"the last {len(runs)}, the latest on the right: "
        + ", ".join(filter(None, meaning)),
        *(_run_line(run, hosts) for run in runs[:LISTED])]


def _can_show(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return True


def _seconds(run: EndedRun) -> float:
    ended = run.date_ended or run.date_started
    return (ended - run.date_started).total_seconds()


def _height(seconds: float, longest: float, heights: int) -> int:
    return min(heights - 1, int(seconds / longest * heights)) if longest else 0


def _run_line(run: EndedRun, hosts: int) -> str:
    took = datetime.timedelta(seconds=_seconds(run))
    ended = end_for_people(run.date_started, run.date_ended) or "?"
    return (
        f"{for_people(run.date_started)}  {ended:8}  {rounded_text(took):>7}"
        f"  {printable(run.hostname):{hosts}}  {run.outcome}")

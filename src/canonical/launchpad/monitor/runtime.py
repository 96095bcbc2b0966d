"""Answers the third question: is the average runtime sensible?"""

from __future__ import annotations

import bisect
import datetime
import math
import statistics
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from canonical.config.durations import duration_text
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.matching import earlier_runs


__all__ = [
    "durations",
    "runtime_is_off",
    "runtime_sentence",
]


# A learned runtime is judged only with this many earlier runs.
FEWEST_RUNS = 10

# A runtime is off if its logarithm differs from the median by more than this
# many scaled median absolute deviations, and if it differs by more than this
# ratio.  Durations are multiplicative: half and double are equally far from
# usual.  For a normal distribution, the scaled deviation equals the standard
# deviation; see Rousseeuw and Croux, "Alternatives to the Median Absolute
# Deviation" (1993).  The limit of three is from Leys and others, "Detecting
# outliers" (2013).
DEVIATIONS = 3.0
SCALE = 1.4826
RATIO = 1.5

# A shorter duration counts as this many seconds.  Below that, a duration says
# more about the machine than about the script.
SHORTEST = 0.01


def runtime_is_off(
    expectation: IScriptExpectation,
    recent: Sequence[float],
    earlier: Sequence[float],
) -> bool:
    """Are recent runs shorter or longer than they should be?

    :param recent: the durations of the last runs, in seconds.
    :param earlier: the durations of earlier runs, to learn from.
    """
    if not recent:
        return False
    if expectation.learned:
        return len(earlier) >= FEWEST_RUNS and _differ(recent, earlier)
    low, high = expectation.average_min, expectation.average_max
    if low is None and high is None:
        return False
    took = _average(recent)
    return (low is not None and took < low) or (
        high is not None and took > high)


def durations(
    expectation: IScriptExpectation, runs: Iterable[Run]
) -> Iterator[tuple[datetime.datetime, tuple[list[float], list[float]]]]:
    """The arguments of `runtime_is_off` after each completion.

    :param runs: in order of completion.
    :return: the time of each completion, with the durations of the recent
        runs, in order of start, and of the earlier runs, in order of length.
    """
    learned_from = earlier_runs(expectation)
    recent: list[tuple[datetime.datetime, float]] = []
    earlier: list[tuple[datetime.datetime, float]] = []
    # Sorted, because the median of a sorted list is found faster.
    lengths: list[float] = []
    for _, started, completed in runs:
        # The run that completes last may not have started last.
        bisect.insort(recent, (started, (completed - started).total_seconds()))
        if len(recent) > expectation.runs:
            bisect.insort(earlier, recent[0])
            bisect.insort(lengths, recent.pop(0)[1])
        if len(earlier) > learned_from:
            del lengths[bisect.bisect_left(lengths, earlier.pop(0)[1])]
        yield completed, ([seconds for _, seconds in recent], lengths[:])


def runtime_sentence(
    expectation: IScriptExpectation,
    recent: Sequence[float],
    earlier: Sequence[float],
) -> str:
    """The answer as a sentence; see `runtime_is_off`."""
    if not recent:
        return "no average runtime, since there are no runs yet"
    runs = "1 run" if len(recent) == 1 else f"{len(recent)} runs"
    if expectation.learned and len(earlier) < FEWEST_RUNS:
        return (
            f"usual runtime not known yet: {len(earlier)} of {FEWEST_RUNS}"
            " earlier runs")
    if expectation.learned:
        return (
            f"median runtime {_text(statistics.median(recent))} over {runs}"
            f" (usually {_text(statistics.median(earlier))})")
    took = _average(recent)
    text = duration_text(took)
    low, high = expectation.average_min, expectation.average_max
    limit = ""
    if low is not None and took < low:
        limit = f" (expected at least {duration_text(low)})"
    if high is not None and took > high:
        limit = f" (expected at most {duration_text(high)})"
    if limit.endswith(f" {text})"):
        # The rounded average would equal the limit.
        text = f"{took.total_seconds():.9g}s"
    return f"average runtime {text} over {runs}{limit}"


def _differ(recent: Sequence[float], earlier: Sequence[float]) -> bool:
    usual = _log(statistics.median(earlier))
    distance = abs(_log(statistics.median(recent)) - usual)
    if distance <= math.log(RATIO):
        return False
    deviation = SCALE * statistics.median(
        abs(_log(duration) - usual) for duration in earlier)
    return distance > DEVIATIONS * deviation


def _log(seconds: float) -> float:
    return math.log(max(seconds, SHORTEST))


def _average(durations: Sequence[float]) -> datetime.timedelta:
    return datetime.timedelta(seconds=statistics.fmean(durations))


def _text(seconds: float) -> str:
    return duration_text(datetime.timedelta(seconds=seconds))

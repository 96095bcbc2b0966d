"""Answers the third question: is the average runtime sensible?"""

from __future__ import annotations

import bisect
import datetime
import heapq
import math
import statistics
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from canonical.config.durations import duration_text
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.matching import earlier_runs
from canonical.launchpad.plaintext import counted


__all__ = [
    "RATIO_RUNNING",
    "durations",
    "is_fast",
    "longest_run",
    "runs_too_long",
    "runtime_is_off",
    "runtime_sentence",
    "usual_duration",
    "usual_range",
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

# So many runs in a row are slow if each of them is beyond these limits.  A
# spell of a few slow runs does not change the median of twenty.  By chance,
# three runs of a normal distribution are beyond two deviations once in 85,000
# times.
ROW = 3
DEVIATIONS_ROW = 2.0
RATIO_ROW = 2.0

# Durations need not have a normal distribution: a script may have more to do
# now and then.  So what is off is also beyond this part of the earlier runs.
MOST = 0.8
MOST_ROW = 0.9

# A run that still runs is judged alone, and single runs scatter more than the
# median of several.  So it is too long only beyond these limits, and beyond
# this ratio to all earlier runs but the longest.
RATIO_RUNNING = 3.0
DEVIATIONS_RUNNING = 4.5
RATIO_LONGEST = 1.5

# A shorter duration counts as this many seconds.  Below that, a duration says
# more about the machine than about the script.
SHORTEST = 0.01


def runtime_is_off(
    expectation: IScriptExpectation,
    recent: Sequence[float],
    earlier: Sequence[float],
) -> bool:
    """Are recent runs shorter or longer than they should be?

    :param recent: the durations of the last runs, in seconds, the latest
        first.
    :param earlier: the durations of earlier runs, to learn from; in any order.
    """
    if not recent:
        return False
    if expectation.learned:
        return len(earlier) >= FEWEST_RUNS and (
            _differ(recent, earlier) or _slow_in_a_row(recent, earlier))
    low, high = expectation.average_min, expectation.average_max
    if low is None and high is None:
        return False
    took = _average(recent)
    return (low is not None and took < low) or (
        high is not None and took > high)


def is_fast(
    expectation: IScriptExpectation,
    recent: Sequence[float],
    earlier: Sequence[float],
) -> bool:
    """If recent runs are off, are they shorter than they should be?"""
    if expectation.learned:
        return _differ(recent, earlier) and (
            statistics.median(recent) < statistics.median(earlier))
    low = expectation.average_min
    return low is not None and _average(recent) < low


def runs_too_long(
    expectation: IScriptExpectation,
    earlier: Sequence[float],
    running: datetime.timedelta | None,
) -> bool:
    """Has a run been running for longer than it should?

    :param running: for how long; `None` if there is none.
    """
    if running is None:
        return False
    longest = longest_run(expectation, earlier)
    return longest is not None and running > longest


def longest_run(
    expectation: IScriptExpectation, earlier: Sequence[float]
) -> datetime.timedelta | None:
    """How long a run may take before it is reported while it still runs.

    :param earlier: see `runtime_is_off`.
    :return: `None` for any time.
    """
    if not expectation.learned:
        limit: datetime.timedelta | None = expectation.average_max
        return limit
    if len(earlier) < FEWEST_RUNS:
        return None
    usual = _log(statistics.median(earlier))
    distance = max(
        math.log(RATIO_RUNNING),
        DEVIATIONS_RUNNING * _deviation(earlier, usual))
    second = heapq.nlargest(2, earlier)[1]
    return datetime.timedelta(
        seconds=max(math.exp(usual + distance), RATIO_LONGEST * second))


def durations(
    expectation: IScriptExpectation, runs: Iterable[Run]
) -> Iterator[tuple[datetime.datetime, tuple[list[float], list[float]]]]:
    """The arguments of `runtime_is_off` after each completion.

    :param runs: in order of completion.
    :return: the time of each completion, with the durations of the recent
        runs, the latest first, and of the earlier runs, in order of length.
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
        yield completed, (
            [seconds for _, seconds in reversed(recent)], lengths[:])


def runtime_sentence(
    expectation: IScriptExpectation,
    recent: Sequence[float],
    earlier: Sequence[float],
) -> str:
    """The answer as a sentence; see `runtime_is_off`."""
    if not recent:
        return "no average runtime, since there are no runs yet"
    runs = counted(len(recent), "run")
    if expectation.learned and len(earlier) < FEWEST_RUNS:
        return (
            f"usual runtime not known yet: {len(earlier)} of {FEWEST_RUNS}"
            " earlier runs")
    if expectation.learned and not _differ(recent, earlier) and (
        _slow_in_a_row(recent, earlier)
    ):
        return (
            f"each of the last {ROW} runs took {_text(min(recent[:ROW]))} or"
            f" more (usually {_text(statistics.median(earlier))})")
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


def usual_duration(
    expectation: IScriptExpectation, durations: Sequence[float]
) -> datetime.timedelta | None:
    """The usual duration of a run, which sentences name.

    :param durations: of the last runs, in seconds, the latest first.
    :return: `None` if it is not learned, or not known yet.
    """
    earlier = durations[expectation.runs:]
    if not expectation.learned or len(earlier) < FEWEST_RUNS:
        return None
    return datetime.timedelta(seconds=statistics.median(earlier))


def usual_range(
    expectation: IScriptExpectation, earlier: Sequence[float]
) -> tuple[float | None, float | None]:
    """The durations, in seconds, between which a run is as it should be.

    :param earlier: as in `runtime_is_off`.
    :return: the shortest and the longest; `None` if there is no limit.
    """
    if not expectation.learned:
        low, high = (
            None if limit is None else limit.total_seconds()
            for limit in (expectation.average_min, expectation.average_max))
        return low, high
    if len(earlier) < FEWEST_RUNS:
        return None, None
    usual = _log(statistics.median(earlier))
    distance = max(math.log(RATIO), DEVIATIONS * _deviation(earlier, usual))
    return math.exp(usual - distance), math.exp(usual + distance)


def _differ(recent: Sequence[float], earlier: Sequence[float]) -> bool:
    usual = _log(statistics.median(earlier))
    middle = statistics.median(recent)
    distance = _log(middle) - usual
    if abs(distance) <= math.log(RATIO):
        return False
    beyond = sum(
        each < middle if distance > 0 else each > middle for each in earlier)
    return beyond >= MOST * len(earlier) and (
        abs(distance) > DEVIATIONS * _deviation(earlier, usual))


def _slow_in_a_row(
    recent: Sequence[float], earlier: Sequence[float]
) -> bool:
    """Were the last runs slow, each of them?"""
    shortest = min(recent[:ROW])
    usual = _log(statistics.median(earlier))
    distance = _log(shortest) - usual
    if len(recent) < ROW or distance <= math.log(RATIO_ROW):
        return False
    beyond = sum(each < shortest for each in earlier)
    return beyond >= MOST_ROW * len(earlier) and (
        distance > DEVIATIONS_ROW * _deviation(earlier, usual))


def _deviation(earlier: Sequence[float], usual: float) -> float:
    """The scaled median absolute deviation of logarithms from `usual`."""
    return SCALE * statistics.median(
        abs(_log(duration) - usual) for duration in earlier)


def _log(seconds: float) -> float:
    return math.log(max(seconds, SHORTEST))


def _average(durations: Sequence[float]) -> datetime.timedelta:
    return datetime.timedelta(seconds=statistics.fmean(durations))


def _text(seconds: float) -> str:
    return duration_text(datetime.timedelta(seconds=seconds))

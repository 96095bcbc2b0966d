"""How true are alarms if the rules are right?  A year of 200 scripts.

Each script has a rule that states how it runs.  Faults are injected into its
year: outages, runs that fail, runs too many, and runs that are slow.  The
rules are replayed over the year.  A fault is reported if an incident opened
while it lasted, until its grace had passed, or was open already.  An incident
is false if it overlaps no fault and not the time after one in which the fault
still counts: the window, ten runs of an average, and a day.

This prints the goals and whether they hold.  The scripts are known one by one:
their faults have nothing in common.
"""

import argparse
import collections
import datetime
import random
import sys
import time

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.replay import replay


START = datetime.datetime(2007, 1, 1, tzinfo=datetime.UTC)
DAYS = 365
DAY = datetime.timedelta(days=1)
MINUTE = datetime.timedelta(minutes=1)
SCRIPTS = 200

# How much longer a slow run takes, and how much durations scatter.
SLOW = 6
SCATTER = 0.15

# Minutes between two runs, and the attributes of the rule.
KINDS = [
    (60, {"schedule": "0 * * * *", "grace": "20m"}),
    (240, {"schedule": "0 */4 * * *", "grace": "1h"}),
    (1440, {"schedule": "0 0 * * *", "grace": "3h", "window": "2d"}),
    (120, {"every": "2h", "grace": "30m"}),
]
FAULTS = ("outage", "failures", "too often", "slow")

# The goals: the part of faults, false alarms a script-year, and the part of
# outages of more than six periods.
REPORTED, FALSE, OUTAGES = 0.99, 1.0, 1.0


def year_of(period, rand, slow, scatter):
    """The runs of a year, and its faults: kind, begin and end."""
    took = rand.uniform(1, 5)
    faults = []
    for number, kind in enumerate(rand.sample(FAULTS, len(FAULTS))):
        begin = START + DAY * (20 + 80 * number + rand.randrange(40))
        periods = rand.randrange(3, 30)
        faults.append((kind, begin, begin + period * periods))
    runs = []
    at = START
    while at < START + DAYS * DAY:
        kind = next((
            kind for kind, begin, end in faults if begin <= at < end), None)
        started = at + MINUTE * rand.uniform(0, 2)
        length = MINUTE * took * rand.lognormvariate(0, scatter)
        if kind not in ("outage", "failures"):
            runs.append((started, length * (slow if kind == "slow" else 1)))
        if kind == "too often":
            runs.append((started + period / 3, length))
        at += period
    return [Run("a", begin, begin + length) for begin, length in runs], faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=2007)
    parser.add_argument("--slow", type=float, default=SLOW)
    parser.add_argument("--scatter", type=float, default=SCATTER)
    args = parser.parse_args()
    begun = time.perf_counter()
    rand = random.Random(args.seed)
    counts = collections.Counter()
    for number in range(SCRIPTS):
        minutes, rule = KINDS[number % len(KINDS)]
        period = minutes * MINUTE
        runs, faults = year_of(period, rand, args.slow, args.scatter)
        case = Case(expectation_from_text(
            f"script-{number}", extra="0", average="learned", **rule))
        until = START + DAYS * DAY
        found = replay(case, runs, START + 7 * DAY, until)
        counts["incidents"] += len(found)
        for kind, begin, end in faults:
            is_reported = any(
                each.opened < end + period + case.expectation.grace
                and (each.closed or until) > begin for each in found)
            counts[kind, is_reported] += 1
            counts["faults", is_reported] += 1
            if kind == "outage" and end - begin > 6 * period:
                counts["long", is_reported] += 1
        after = case.expectation.window + 10 * period + DAY
        counts["false"] += sum(
            not any(begin <= (each.closed or until) and (
                each.opened <= end + after) for _, begin, end in faults)
            for each in found)
    for kind in FAULTS:
        total = counts[kind, True] + counts[kind, False]
        print(f"{kind}: {counts[kind, True]} of {total} reported")
    years = SCRIPTS * (DAYS - 7) / DAYS
    held = [
        _goal("faults reported", _part(counts, "faults"), REPORTED, True),
        _goal("false alarms a script-year", counts["false"] / years, FALSE,
              False),
        _goal("outages of more than six periods reported",
              _part(counts, "long"), OUTAGES, True)]
    print(f"{counts['incidents']} incidents in {years:.0f} script-years,"
          f" replayed in {time.perf_counter() - begun:.0f} s")
    return 0 if all(held) else 1


def _part(counts, what):
    reported, missed = counts[what, True], counts[what, False]
    return reported / (reported + missed)


def _goal(words, value, goal, is_least):
    holds = value >= goal if is_least else value <= goal
    print(f"{words}: {value:.3f}, goal at {'least' if is_least else 'most'}"
          f" {goal:g}: {'holds' if holds else 'does not hold'}")
    return holds


if __name__ == "__main__":
    sys.exit(main())

"""How true are the alarms of rules that `suggest` infers, and how fast is it?

Real histories: rules are learned from the first 70% of each series, and judged
on the rest.  An incident that touches no silence of more than three periods,
which are median gaps, is a false alarm.  A silence of more than six periods is
an outage, and has to be reported; but not in a series that had more than a
dozen of them a year when it was learned from.

Simulations: scripts with known schedules run for as long again as was learned
from; each alarm then is false.  Then each fault is put into the same runs.
"""

import argparse
import collections
import datetime
import lzma
import random
import statistics
import sys
import time
from pathlib import Path


sys.path.insert(0, str(Path(__file__).parent))

from common import rounds

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.history import History
from canonical.launchpad.monitor.inference.proposal import suggest_expectation
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.replay import replay
from canonical.launchpad.monitor.schedule import slots_between


HISTORIES = Path(__file__).resolve().parent / (
    "../../shared/data/histories.tsv.xz")
LEARNED = 0.7
YEAR = 365.25 * 86400
DAY = datetime.timedelta(days=1)
MINUTE = datetime.timedelta(minutes=1)
START = datetime.datetime(2026, 1, 12, tzinfo=datetime.UTC)

# Schedules, the days that they run to be learned, and whether the time zone
# matters to them.
SCHEDULES = (
    ("*/5 * * * *", 20, False), ("*/10 * * * *", 40, False),
    ("*/15 * * * *", 60, False), ("7,37 * * * *", 60, False),
    ("13 * * * *", 60, False), ("*/30 8-18 * * 1-5", 90, True),
    ("0 */6 * * *", 90, True), ("20 8,12,19 * * *", 90, True),
    ("30 2 * * *", 120, True), ("0 4 * * *", 120, True),
    ("45 23 * * 1-5", 150, True), ("15 6 * * 0", 300, True),
    ("0 5 1,15 * *", 400, True), ("every 613", 20, False),
)
ZONES = ("UTC", "UTC", "UTC", "Europe/Berlin", "America/New_York")
FAULTS = ("outage", "often", "slow", "skipped")
GOALS = (
    "goals: 95% of faults reported, at most 1 false alarm a script-year on"
    " simulations and 2 on real jobs, every outage, half of the series")


class Script:
    """A script with a known schedule, and the runs that it makes."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.schedule, days, moves = self.random.choice(SCHEDULES)
        self.timezone = self.random.choice(ZONES) if moves else "UTC"
        self.late = self.random.choice((3, 30, 90, 400))
        if self.schedule.startswith("*/5"):
            self.late = min(self.late, 90)
        self.took = self.random.choice((2, 20, 120))
        self.noise = self.random.choice((0.05, 0.2, 0.5))
        self.hosts = ("a", "b") if self.random.random() < 0.2 else ("a",)
        self.lost = self.random.choice((0, 0, 0.003))
        self.middle = START + days * DAY
        self.end = self.middle + days * DAY
        self.learned = [
            run for run in self.runs(START, self.middle)
            if self.random.random() >= self.lost]
        if self.random.random() < 0.3:
            gone = START + self.random.uniform(0.2, 0.8) * days * DAY
            away = self.random.uniform(0.01, 0.03) * days * DAY
            self.learned = [run for run in self.learned
                            if not gone <= run.date_started < gone + away]
        self.later = self.runs(self.middle, self.end)

    def runs(self, since, until):
        return sorted((
            run for host in self.hosts
            for run in self.on_host(host, since, until)),
            key=lambda run: run.date_started)

    def on_host(self, host, since, until):
        if not self.schedule.startswith("every"):
            for slot in slots_between(
                    self.schedule, self.timezone, since, until):
                yield self.run(host, slot + datetime.timedelta(
                    seconds=self.random.uniform(1, self.late)))
            return
        while since < until:
            yield (run := self.run(host, since))
            since = run.date_completed + datetime.timedelta(
                seconds=float(self.schedule.split()[1]))

    def run(self, host, started):
        return Run(host, started, started + datetime.timedelta(
            seconds=self.took * self.random.lognormvariate(0, self.noise)))

    def with_fault(self, fault):
        """The later runs with a fault, and when it begins and ends."""
        own = [run for run in self.later if run.hostname == "a"]
        first = len(own) // 3
        since = own[first].date_started - MINUTE
        step = statistics.median(
            b.date_started - a.date_started
            for a, b in zip(own, own[1:], strict=False))
        until = own[min(first + 30, len(own) - 1)].date_started + DAY
        if fault in ("outage", "skipped"):
            until = own[min(first + 8, len(own) - 1)].date_started - MINUTE
            if fault == "skipped":
                until = max(until, since + DAY)
        runs = []
        for number, run in enumerate(self.later):
            if run.hostname != "a" or not since < run.date_started < until:
                runs.append(run)
            elif fault == "slow":
                took = run.date_completed - run.date_started
                runs.append(run._replace(
                    date_completed=run.date_started + 4 * took))
            elif fault == "often":
                runs += [run, self.run("a", run.date_started + step * 0.4)]
            elif fault == "skipped" and number % 3 == 0:
                runs.append(run)
        return runs, since, until + step + DAY

    def is_found(self, attributes):
        """Do the slots of a rule equal those of the true schedule?"""
        if "schedule" not in attributes:
            return self.schedule.startswith("every") and (
                "every" in attributes)
        return not self.schedule.startswith("every") and slots_between(
            self.schedule, self.timezone, START, self.end
        ) == slots_between(
            attributes["schedule"], attributes.get("timezone", "UTC"), START,
            self.end)


def incidents(attributes, runs, since, until):
    """When something was wrong, whatever it was: begin and end of each."""
    rule = expectation_from_text("it", **attributes)
    return [
        (each.opened, each.closed or until)
        for host in rule.hosts or (None,)
        for each in replay(Case(rule, host), runs, since, until)]


def simulated(seeds, verbose):
    count = collections.Counter()
    years = 0.0
    for seed in seeds:
        script = Script(seed)
        begin = time.process_time()
        attributes, _ = suggest_expectation(
            History(script.learned), script.middle)
        count["time"] += time.process_time() - begin
        found = script.is_found(attributes)
        count["scripts"] += 1
        count["found"] += found
        count["rules"] += bool(attributes)
        notes = [] if found else ["other schedule"]
        years += len(script.hosts) * (
            script.end - script.middle).total_seconds() / YEAR
        if attributes:
            clean = incidents(
                attributes, script.learned + script.later,
                script.middle, script.end)
            count["false"] += len(clean)
            notes += [f"{len(clean)} false"] * bool(clean)
        for fault in FAULTS:
            if fault == "skipped" and len(script.later) < 100:
                continue
            count["faults"] += 1
            runs, since, until = script.with_fault(fault)
            until = min(until, script.end)
            reported = attributes and [
                each for each in incidents(
                    attributes, script.learned + runs, script.middle,
                    script.end)
                if since <= each[0] <= until and each not in clean]
            count["reported"] += bool(reported)
            count[fault] += 1
            count[fault + " reported"] += bool(reported)
            notes += [f"{fault} not reported"] * (not reported)
        if verbose and notes:
            print(f"  {seed}: {script.schedule} {script.timezone}"
                  f" late {script.late} took {script.took} noise"
                  f" {script.noise} {len(script.hosts)} hosts:"
                  f" {', '.join(notes)}\n      {dict(attributes)}")
    print(f"{count['scripts']} scripts: {count['found']} true schedules found,"
          f" {count['rules']} rules,"
          f" {count['false'] / years:.2f} false alarms a script-year,"
          f" {count['reported']} of {count['faults']} faults reported ("
          + ", ".join(f"{fault} {count[fault + ' reported']} of"
                      f" {count[fault]}" for fault in FAULTS)
          + f"), {count['time']:.1f} s")


def real(path, verbose):
    series = collections.defaultdict(list)
    with lzma.open(path, "rt") as lines:
        for line in lines:
            name, *times = line.split()
            series[name].append(Run(
                "a", *map(datetime.datetime.fromisoformat, times)))
    count = collections.Counter()
    years = spent = 0.0
    for name, runs in series.items():
        runs.sort(key=lambda run: run.date_started)
        first = round(LEARNED * len(runs))
        since, until = runs[first].date_started, runs[-1].date_completed
        begin = time.process_time()
        learned = runs[:first]
        attributes, evidence = suggest_expectation(
            History(learned), learned[-1].date_completed)
        took = time.process_time() - begin
        spent += took
        count["series"] += 1
        if not attributes:
            if verbose:
                print(f"  {name}: no rule, {took:.1f} s", *evidence,
                      sep="\n    ")
            continue
        count["rules"] += 1
        gaps = [(a.date_completed, b.date_started)
                for a, b in zip(runs, runs[1:], strict=False)]
        period = statistics.median(b - a for a, b in gaps[:first - 1])
        usual = sum(b - a > 6 * period for a, b in gaps[:first - 1])
        irregular = usual > 12 * (
            since - runs[0].date_started).total_seconds() / YEAR
        gaps = gaps[first:]
        found = incidents(attributes, runs, since, until)
        false = [each for each in found if not any(
            b - a > 3 * period and touches(each, a, b) for a, b in gaps)]
        outages = [(a, b) for a, b in gaps
                   if b - a > 6 * period and not irregular]
        reported = sum(
            any(touches(each, a, b) for each in found) for a, b in outages)
        lasted = (until - since).total_seconds() / YEAR
        years += lasted
        count["outages"] += len(outages)
        count["reported"] += reported
        count["false"] += len(false)
        count["alarms"] += len(found)
        if verbose:
            print(f"  {name}: {len(false) / lasted:.1f} false a year,"
                  f" {len(found)} alarms, {reported} of {len(outages)} outages"
                  f" reported, {took:.1f} s", dict(attributes),
                  *(evidence if verbose > 1 else ()), sep="\n    ")
    print(f"{count['rules']} of {count['series']} real series with a rule,"
          f" {count['false'] / max(years, 1e-9):.2f} false alarms a"
          f" script-year, {count['alarms']} incidents in {years:.1f} years,"
          f" {count['reported']} of {count['outages']} outages reported,"
          f" {spent:.1f} s")


def touches(incident, since, until):
    """Did it open in a silence?"""
    return since <= incident[0] <= until


def speed():
    spent = 0.0
    for seed in range(1001, 1401, 2):
        script = Script(seed)
        runs = script.learned[-500:]
        begin = time.process_time()
        suggest_expectation(History(runs), script.middle)
        spent += time.process_time() - begin
    print(f"2,000 scripts of up to 500 runs: {10 * spent:.0f} s of one core")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("histories", nargs="?", type=Path, default=HISTORIES)
    parser.add_argument("--unseen", action="store_true",
                        help="seeds that nothing was tuned on")
    parser.add_argument("--only", choices=("real", "simulated", "speed"))
    parser.add_argument("--scripts", type=int, default=rounds(100, 50))
    parser.add_argument("-v", action="count", default=0, dest="verbose")
    args = parser.parse_args()
    first = 2 if args.unseen else 1
    if args.only in (None, "simulated"):
        simulated(range(first, first + 2 * args.scripts, 2), args.verbose)
    if args.only in (None, "real"):
        real(args.histories, args.verbose)
    if args.only in (None, "speed"):
        speed()
    print(GOALS)


if __name__ == "__main__":
    main()

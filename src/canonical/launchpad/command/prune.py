"""The command ``scriptactivity prune``: delete old runs, and count them."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from zope.component import getUtility

from canonical.config import ConfigError
from canonical.config.durations import duration_text
from canonical.launchpad.command.cronscript import CommandScript
from canonical.launchpad.command.rules import clock_skew
from canonical.launchpad.command.rules import expected
from canonical.launchpad.command.rules import rules_file
from canonical.launchpad.interfaces import HORIZON
from canonical.launchpad.interfaces import IScriptDaySet
from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.interfaces import IScriptTimelineSet
from canonical.launchpad.interfaces import Track
from canonical.launchpad.monitor.availability import DAY
from canonical.launchpad.monitor.availability import first_counted
from canonical.launchpad.monitor.availability import midnight
from canonical.launchpad.monitor.availability import runs_until
from canonical.launchpad.monitor.availability import tallies
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import reach
from canonical.launchpad.monitor.registry import registered_cases
from canonical.launchpad.plaintext import counted
from canonical.launchpad.scripts.logger import script_logger


__all__ = [
    "PruneScript",
    "prune",
]


# Rows that one transaction deletes: a fraction of a second, in which nobody
# waits but who writes the same rows.
BATCH = 5000

# Days whose runs are in memory at once.
DAYS_AT_ONCE = 31 * DAY


class PruneScript(CommandScript):
    """Delete old runs and attempts, and keep their numbers for each day.

    :ivar wanted: the parsed arguments of the command.
    """

    wanted: argparse.Namespace

    def work(self) -> None:
        """See `CommandScript`."""
        # Whole days in UTC, so that a day is counted at once.
        now = datetime.datetime.now(datetime.UTC)
        today = midnight(now.date())
        wanted = self.wanted
        before = today - wanted.keep
        days = getUtility(IScriptDaySet)
        # What was due is known only as long as the runs are there.
        with self.in_time():
            cases = _cases(wanted, before)
        names = [
            case.expectation.name for case in cases] if wanted.tags else None
        _check_windows(cases, wanted.keep)
        # A day more than is pruned: a run of the last one may have met a slot
        # of the next.
        self._count_due(cases, before + DAY)
        runs = self._commit_each(days.pruneRuns(before, BATCH, names))
        attempts = self._commit_each(days.pruneAttempts(
            before, today - max(wanted.keep, wanted.keep_failures), BATCH,
            names))
        texts = 0
        if wanted.keep_output or wanted.keep_reasons:
            texts = self._commit_each(days.pruneTexts(
                wanted.keep_output and now - wanted.keep_output,
                wanted.keep_reasons and now - wanted.keep_reasons, BATCH,
                names))
        self.logger.info(
            "Pruned %s and %s, and the texts of %s.", counted(runs, "run"),
            counted(attempts, "attempt"), counted(texts, "attempt"))

    def _commit_each(self, numbers: Iterable[int]) -> int:
        """Commit each batch; return the number of all rows."""
        total = 0
        batches = iter(numbers)
        while (number := self._commit_next(batches)) is not None:
            total += number
        return total

    def _commit_next(self, batches: Iterator[int]) -> int | None:
        with self.in_time():
            number = next(batches, None)
            self.txn.commit()
        return number

    def _count_due(
        self, cases: Sequence[Case], until: datetime.datetime
    ) -> None:
        """Record which slots were due and met on days that will be pruned."""
        with self.in_time():
            beginnings = getUtility(IScriptTimelineSet).getBeginnings([
                Track(case.expectation.name, case.hostname)
                for case in cases])
        for case, beginning in zip(cases, beginnings, strict=True):
            since = first_counted(case, beginning)
            while since is not None and since < until:
                end = min(midnight(since.date()) + DAYS_AT_ONCE, until)
                with self.in_time():
                    _record_due(case, since, end)
                    self.txn.commit()
                since = end


def _cases(
    wanted: argparse.Namespace, before: datetime.datetime
) -> list[Case]:
    """The rules with a tag that is wanted, each on each of its hosts.

    There is none if there are no rules.
    """
    path = wanted.expectations
    if path is None and rules_file() is None and not wanted.tags:
        return []
    long_ago = before - 10 * HORIZON
    return registered_cases(
        expected(path, (), wanted.tags), long_ago, before, clock_skew())


def _check_windows(
    cases: Iterable[Case], keep: datetime.timedelta
) -> None:
    """Check that no check looks back further than runs are kept.

    :raises ConfigError: if one does.
    """
    for case in cases:
        if reach(case) + DAY > keep:
            raise ConfigError(
                f"--keep {duration_text(keep)} is too short for the rule of"
                f" {case.expectation.name}, which looks back"
                f" {duration_text(reach(case))}; keep at least a day more")


def _record_due(
    case: Case, since: datetime.datetime, until: datetime.datetime
) -> None:
    name, hostname = case.expectation.name, case.hostname
    runs = getUtility(IScriptHistorySet).getRuns(
        name, since - case.lead, runs_until(case, until))
    # All of these slots are long due.
    found = tallies(
        case, [run for run in runs if hostname in (None, run.hostname)],
        since, until, datetime.datetime.now(datetime.UTC))
    getUtility(IScriptDaySet).recordDue(
        (name, hostname or "", day, tally.due, tally.met)
        for day, tally in found.items())


def prune(args: argparse.Namespace) -> int:
    """Delete old runs.  The exit status is that of a script."""
    logger = script_logger(args.parser, args, PruneScript.loglevel)
    script = PruneScript("scriptactivity-prune", test_args=[], logger=logger)
    script.wanted = args
    script.lock_and_run()
    return 0

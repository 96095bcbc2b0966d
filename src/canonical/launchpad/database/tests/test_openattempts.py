"""Open attempts whose processes are gone, run, or cannot be seen."""

import datetime
import functools
import os
import subprocess
import sys
import unittest

from zope.component import getUtility

from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import initZopeless
from canonical.database.sqlbase import main_store
from canonical.launchpad.database.openattempts import open_attempts
from canonical.launchpad.database.process import this_process
from canonical.launchpad.interfaces import Inquiry
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptFiguresSet
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import LaunchpadZopelessLayer
from canonical.testing import by_owner


START = datetime.datetime(2007, 2, 1, 10, 0, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
UNTIL = START + 60 * MINUTE

# A process of another machine.
ELSEWHERE = "machine/boot/namespace/1"

PRINT_ITSELF = "from canonical.launchpad.database.process import *;" \
    " print(this_process())"


@functools.cache
def gone_process():
    """The pid and the text of a process that has ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", PRINT_ITSELF], stdout=subprocess.PIPE,
        text=True)
    out, _ = process.communicate()
    return process.pid, out.strip()


class TestOpenAttempts(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def setUp(self):
        self.set = getUtility(IScriptAttemptSet)
        self.gone = gone_process()
        self.here = os.getpid(), this_process()

    def attempt(self, minute, process, name="garbo", **values):
        values = {
            "name": name, "hostname": "host",
            "date_started": START + minute * MINUTE,
            "pid": process[0], "process": process[1], **values}
        (attempt_id,) = main_store().execute(
            f"INSERT INTO scriptattempt ({', '.join(values)})"
            f" VALUES ({', '.join('?' * len(values))}) RETURNING id",
            tuple(values.values())).get_one()
        return attempt_id

    def figures(self, at=UNTIL):
        figures, = getUtility(IScriptFiguresSet).getFigures(
            [Inquiry("garbo", "host", (), UNTIL, 3)], at)
        return figures

    def test_what_is_known_of_each(self):
        gone = self.attempt(0, self.gone)
        seen = self.attempt(1, self.here)
        for process in (1, ELSEWHERE), (1, None):
            self.attempt(2, process)
        self.attempt(3, self.gone, date_committed=START + 4 * MINUTE)
        self.attempt(
            4, self.gone, date_ended=START + 5 * MINUTE, outcome="failure")
        self.assertEqual({"seen": [seen], "gone": [gone]}, open_attempts())

    def test_from_an_old_state_nothing_is_gone(self):
        """Its snapshot may not show an end that is on record."""
        ztm = ZopelessTransactionManager._installed
        ztm.uninstall()
        ztm = initZopeless(isolation="repeatable_read")
        self.addCleanup(ztm.uninstall)
        self.attempt(0, self.gone)
        seen = self.attempt(1, self.here)
        self.assertEqual({"seen": [seen], "gone": []}, open_attempts())

    def test_what_is_gone_does_not_run(self):
        self.attempt(0, self.gone)
        self.attempt(0, self.gone, hostname="elsewhere")
        self.attempt(1, self.here, name="other")
        running, = self.set.getRunning()
        self.assertEqual("other", running.name)
        self.assertEqual(
            [None, None, START + MINUTE],
            [each.running_since for each in self.set.getSummaries()])
        self.assertIsNone(self.figures().running_since)

    def test_what_is_gone_runs_on_no_other_host(self):
        self.attempt(0, self.gone, hostname="elsewhere")
        self.attempt(1, self.here)
        self.assertEqual((), self.set.getRunning()[0].also_on)

    def test_what_is_gone_counts_as_vanished(self):
        self.attempt(
            0, (1, None), date_ended=START + MINUTE, outcome="failure",
            reason="no luck")
        gone = self.attempt(1, self.gone)
        failure, earlier = self.set.getFailures()
        self.assertEqual(
            (gone, "vanished", None, 2),
            (failure.id, failure.outcome, failure.date_ended,
             failure.failures_in_a_row))
        self.assertEqual(1, earlier.failures_in_a_row)
        self.assertEqual(failure, self.set.getLastFailure("garbo", "host"))
        self.assertEqual(2, self.set.countFailuresInARow("garbo"))
        summary, = self.set.getSummaries()
        self.assertEqual(
            (START + MINUTE, "vanished", 2),
            (summary.last_failure, summary.last_reason,
             summary.failures_in_a_row))
        figures = self.figures()
        self.assertEqual(
            (2, "vanished"), (figures.failures, figures.last_outcome))
        _, attempt = self.set.getAttempts("garbo", START, UNTIL)
        self.assertEqual("vanished", attempt.outcome)

    def test_a_success_ends_the_row_of_what_is_gone(self):
        self.attempt(0, self.gone)
        LaunchpadObjectFactory().makeScriptActivity(
            "garbo", "host", START + MINUTE)
        self.attempt(5, self.gone)
        self.assertEqual(
            [1, 1],
            [each.failures_in_a_row for each in self.set.getFailures()])
        self.assertEqual(1, self.figures().failures)

    def test_a_process_is_seen_or_nobody_can_know(self):
        self.attempt(0, (1, ELSEWHERE), name="unknown")
        self.attempt(1, self.here, name="seen")
        self.assertEqual(
            [("unknown", False), ("seen", True)],
            [(each.name, each.is_seen) for each in self.set.getRunning()])
        self.assertEqual(
            [("seen", True), ("unknown", False)],
            [(each.name, each.running_is_seen)
             for each in self.set.getSummaries()])

    def test_one_that_is_seen_comes_before_one_that_may_run(self):
        self.attempt(0, (1, ELSEWHERE))
        self.assertEqual(
            (START, False),
            (self.figures().running_since, self.figures().running_is_seen))
        self.attempt(1, self.here)
        summary, = self.set.getSummaries()
        self.assertEqual(
            (START + MINUTE, True),
            (summary.running_since, summary.running_is_seen))
        self.assertEqual(
            (START + MINUTE, True),
            (self.figures().running_since, self.figures().running_is_seen))

    def test_what_has_reported_its_end_since_certainly_ran(self):
        end = START + 5 * MINUTE
        for outcome, ran in ("failure", True), ("vanished", False):
            attempt = self.attempt(
                0, (1, ELSEWHERE), date_ended=end, outcome=outcome)
            figures = self.figures(START + MINUTE)
            self.assertEqual(
                (START, ran), (figures.running_since, figures.running_is_seen))
            by_owner(
                "DELETE FROM scriptattempt WHERE id = ?", (attempt,))

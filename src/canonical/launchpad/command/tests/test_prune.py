"""Pruning: what goes, what remains, and that nothing is lost or doubled."""

import contextlib
import datetime
import io
import os
import random
import signal
import subprocess
import tempfile
import time
import unittest
import uuid
from pathlib import Path

from zope.component import getUtility
from zope.interface.verify import verifyObject

from canonical.database.sqlbase import initZopeless
from canonical.database.sqlbase import main_store
from canonical.launchpad.command.main import main
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptDaySet
from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.interfaces import Output
from canonical.launchpad.monitor.registry import registered_apart
from canonical.launchpad.scripts.record import record_success
from canonical.launchpad.scripts.spool import Success
from canonical.testing import LaunchpadZopelessLayer
from canonical.testing.children import start_python


DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)
NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
TODAY = NOW.replace(hour=0, minute=0, second=0)

TOTALS = """
    SELECT name, hostname, day, sum(runs), sum(total), sum(failures)
    FROM (
        SELECT name, hostname, day, runs, total, failures FROM scriptday
        WHERE hostname <> ''
        UNION ALL
        SELECT name, hostname, (date_started AT TIME ZONE 'UTC')::date, 1,
            date_completed - date_started, 0
        FROM scriptactivity WHERE name <> 'scriptactivity-prune'
        UNION ALL
        SELECT name, hostname, (date_started AT TIME ZONE 'UTC')::date, 0,
            NULL, (outcome = 'failure')::integer
        FROM scriptattempt WHERE name <> 'scriptactivity-prune'
    ) AS either
    GROUP BY name, hostname, day ORDER BY name, hostname, day
"""


class PruneTestCase(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def setUp(self):
        self.ztm = initZopeless()
        self.days = getUtility(IScriptDaySet)

    def run_at(self, started, minutes=1, name="garbo", host="a", key=None):
        getUtility(IScriptActivitySet).recordSuccess(
            name, started, started + minutes * MINUTE, host,
            key or uuid.uuid4())

    def newer(self, name="garbo", host="a", count=250):
        """Runs that are never pruned, since they are the last."""
        main_store().execute("""
            INSERT INTO scriptactivity
                (name, hostname, date_started, date_completed, run_key)
            SELECT ?, ?, ?::timestamptz + i * interval '1 s',
                ?::timestamptz + i * interval '1 s', gen_random_uuid()
            FROM generate_series(1, ?) AS i
            """, (name, host, NOW - DAY, NOW - DAY, count), noresult=True)

    def attempt(self, started, name="garbo", output=None, outcome="failure"):
        attempts = getUtility(IScriptAttemptSet)
        key = attempts.begin(name, uuid.uuid4(), started, "a")
        attempts.end(key, outcome, started + MINUTE, 1, "no", output)
        return key

    def prune(self, *options, expected=0):
        self.ztm.commit()
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            try:
                status = main(["prune", *options])
            except SystemExit as leave:
                status = leave.code
        self.ztm = initZopeless()
        self.assertEqual(expected, status or 0, err.getvalue())
        return err.getvalue()

    def count(self, table):
        (number,), = main_store().execute(
            f"SELECT count(*) FROM {table}"
            " WHERE name <> 'scriptactivity-prune'")
        return number


class TestPrune(PruneTestCase):

    def test_the_utility_is_what_its_interface_says(self):
        self.assertTrue(verifyObject(IScriptDaySet, self.days))

    def test_a_day_is_one_row(self):
        old = TODAY - 500 * DAY
        for minutes in 1, 2, 9:
            self.run_at(old + minutes * HOUR, minutes)
        self.run_at(old, 5, host="b")
        self.newer()
        self.newer(host="b")
        self.prune()
        self.assertEqual([
            ("garbo", "a", old.date(), 3, 0, 12 * MINUTE, MINUTE, 9 * MINUTE,
             2 * MINUTE, None, None),
            ("garbo", "b", old.date(), 1, 0, 5 * MINUTE, 5 * MINUTE,
             5 * MINUTE, 5 * MINUTE, None, None),
        ], self.days.getDays(None, None))
        self.assertEqual(500, self.count("scriptactivity"))

    def test_the_last_runs_stay_however_old_they_are(self):
        for number in range(260):
            self.run_at(TODAY - (1000 + number) * DAY)
        self.prune()
        self.assertEqual(250, self.count("scriptactivity"))
        self.assertEqual(10, len(self.days.getDays(None, None)))
        self.assertEqual(
            TODAY - 1000 * DAY,
            getUtility(IScriptActivitySet).getLastActivity(
                "garbo").date_started)

    def test_a_run_without_a_key_is_not_imported_or_counted_again(self):
        self.newer()
        day = TODAY - 500 * DAY
        getUtility(IScriptActivitySet).recordSuccess(
            "garbo", day + HOUR, day + HOUR + MINUTE, "a")
        self.ztm.commit()
        path = self.layer.directory.parent / "runs.csv"
        with contextlib.redirect_stdout(io.StringIO()) as out:
            self.assertEqual(0, main(["export", str(path)]))
            self.ztm = initZopeless()
            self.prune()
            self.assertEqual(0, main(["import", str(path)]))
        self.assertIn("added 0 runs", out.getvalue())
        self.ztm = initZopeless()
        getUtility(IScriptActivitySet).recordSuccess(
            "garbo", day + HOUR, day + HOUR + MINUTE, "a")
        self.assertIn("Pruned 1 run", self.prune())
        self.assertEqual([(1,)], list(main_store().execute(
            "SELECT runs FROM scriptday")))

    def test_failures_stay_longer_and_are_counted(self):
        self.attempt(TODAY - 500 * DAY)
        self.attempt(TODAY - 1200 * DAY)
        self.attempt(TODAY - 1200 * DAY, outcome="vanished")
        self.attempt(TODAY - 1200 * DAY, outcome="skipped")
        self.attempt(TODAY - 500 * DAY, outcome="success")
        self.prune()
        self.assertEqual(1, self.count("scriptattempt"))
        day, = self.days.getDays(None, None)
        self.assertEqual((2, 0, None), (day.failures, day.runs, day.median))

    def test_failures_stay_at_least_as_long_as_runs(self):
        self.attempt(TODAY - 100 * DAY)
        self.prune("--keep-failures", "10d")
        self.assertEqual(1, self.count("scriptattempt"))

    def test_what_has_not_ended_stays(self):
        attempts = getUtility(IScriptAttemptSet)
        started = TODAY - 2000 * DAY
        attempts.begin("garbo", uuid.uuid4(), started, "other")
        key = attempts.begin("garbo", uuid.uuid4(), started, "other")
        attempts.markCommitted(key, "garbo", started, started, "other")
        self.prune("-qq")
        self.assertEqual(2, self.count("scriptattempt"))
        # It is the proof of a success that arrives later.
        record_success(self.ztm, Success(
            name="garbo", hostname="other", date_started=started,
            date_completed=started, run_key=key, attempt="committed",
            database=self.ztm.database), 10)
        self.assertEqual(1, self.count("scriptactivity"))

    def test_output_and_reasons_go_sooner_by_choice(self):
        self.attempt(NOW - 40 * DAY, output=Output("out", "err"))
        self.attempt(NOW - 20 * DAY, output=Output("out", "err"))
        self.prune("--keep-output", "30d")
        ask = "SELECT stdout, reason FROM scriptattempt" \
            " WHERE name = 'garbo' ORDER BY date_started"
        self.assertEqual(
            [(None, "no"), ("out", "no")], list(main_store().execute(ask)))
        self.prune("--keep-reasons", "30d")
        self.assertEqual(
            [(None, None), ("out", "no")], list(main_store().execute(ask)))

    def test_its_run_is_recorded(self):
        self.prune()
        self.assertIsNotNone(
            getUtility(IScriptActivitySet).getLastActivity(
                "scriptactivity-prune"))

    def test_the_slots_of_a_day_are_counted_before_its_runs_go(self):
        rules = self.layer.directory.parent / "prune.zcml"
        rules.write_text("""
            <configure xmlns:lp="http://namespaces.canonical.com/lp">
              <include package="canonical.launchpad" file="meta.zcml" />
              <lp:script name="garbo" schedule="0 */6 * * *" />
            </configure>""")
        old = TODAY - 401 * DAY
        for hour in 0, 6, 7, 18:
            self.run_at(old + hour * HOUR, host="b" if hour else "a")
        self.newer()
        self.newer(host="b")
        # What a rules file registers would be there in the next test.
        self.enterContext(registered_apart())
        for _ in range(2):
            self.prune("--expectations", str(rules))
            self.assertEqual(
                [("", 0, 4, 3), ("", 0, 4, 0), ("a", 1, None, None),
                 ("b", 3, None, None)],
                [(day.hostname, day.runs, day.due, day.met)
                 for day in self.days.getDays(None, None)])
        self.assertIn(
            "too short for the rule of garbo",
            self.prune("--expectations", str(rules), "--keep", "1d",
                       expected=2))


class TestPruneWithTag(PruneTestCase):

    def test_only_scripts_with_the_tag(self):
        old = TODAY - 500 * DAY
        for name in "garbo", "other":
            self.run_at(old, name=name)
            self.newer(name)
            self.attempt(TODAY - 5 * 365 * DAY, name)
            self.attempt(old, name, Output("x", ""))
        directory = self.enterContext(tempfile.TemporaryDirectory())
        rules = Path(directory, "rules.zcml")
        # The window of the other rule is longer than its runs are kept.
        rules.write_text("""
            <configure xmlns:lp="http://namespaces.canonical.com/lp">
              <include package="canonical.launchpad" file="meta.zcml" />
              <lp:script name="garbo" schedule="0 0 * * *" tags="eu" />
              <lp:script name="other" schedule="0 0 * * *" window="400d" />
            </configure>
            """)
        self.enterContext(registered_apart())
        options = ("--expectations", str(rules), "--keep", "300d", "--tag")
        said = self.prune(
            *options, "eu", "--keep-output", "1d", "--keep-failures", "3y")
        self.assertIn(
            "Pruned 1 run and 1 attempt, and the texts of 1 attempt.", said)
        self.assertEqual({"garbo"}, {
            day.name for day in self.days.getDays(None, None)})
        self.assertEqual([("garbo", 250, 1, 0), ("other", 251, 2, 1)], list(
            main_store().execute("""
                SELECT name, (SELECT count(*) FROM scriptactivity AS run
                    WHERE run.name = attempt.name), count(*), count(stdout)
                FROM scriptattempt AS attempt
                WHERE name IN ('garbo', 'other') GROUP BY name ORDER BY name
                """)))
        self.assertIn(
            "no rule has the tag 'ue'", self.prune(*options, "ue", expected=2))


class TestLateSuccess(PruneTestCase):
    """A success that arrives after its day was pruned."""

    def setUp(self):
        super().setUp()
        self.started = TODAY - 500 * DAY + HOUR
        self.key = uuid.uuid4()
        self.run_at(self.started, key=self.key)
        self.newer()
        self.prune()

    def arrive(self, key):
        record_success(self.ztm, Success(
            name="garbo", hostname="a", date_started=self.started,
            date_completed=self.started + 3 * MINUTE, run_key=key,
            attempt="begun", database=self.ztm.database), 10)
        self.prune()
        day, = self.days.getDays(None, None)
        self.assertEqual(250, self.count("scriptactivity"))
        return day

    def test_it_is_counted(self):
        day = self.arrive(uuid.uuid4())
        self.assertEqual(
            (2, 4 * MINUTE, MINUTE, 3 * MINUTE, 2 * MINUTE),
            day[3:4] + day[5:9])

    def test_it_is_not_counted_again(self):
        self.assertEqual((1, MINUTE), self.arrive(self.key)[3::2][:2])
        self.assertEqual(2, self.arrive(uuid.uuid4()).runs)
        self.assertEqual(2, self.arrive(self.key).runs)


class TestKilled(PruneTestCase):
    """Whatever kills it, and whenever."""

    def test_at_random_moments(self):
        main_store().execute("""
            INSERT INTO scriptactivity
                (name, hostname, date_started, date_completed, run_key)
            SELECT 'script-' || mod(i, 7), 'host-' || mod(i, 2), started,
                started + interval '1 s' * mod(i, 50), gen_random_uuid()
            FROM generate_series(1, 60000) AS i, LATERAL (
                SELECT ?::timestamptz - interval '10 min' * i AS started
            ) AS run
            """, (TODAY,), noresult=True)
        main_store().execute("""
            INSERT INTO scriptattempt (name, hostname, pid, date_started,
                date_ended, outcome, run_key)
            SELECT name, hostname, 1, date_started, date_completed,
                CASE WHEN mod(id, 3) = 0 THEN 'failure' ELSE 'success' END,
                gen_random_uuid()
            FROM scriptactivity
            """, noresult=True)
        self.ztm.commit()
        totals = list(main_store().execute(TOTALS))
        self.ztm.commit()
        randomly = random.Random(16)
        counts = []
        for number in range(6):
            process = self.start()
            self.wait_for_a_batch(process)
            time.sleep(randomly.random() / 10)
            process.send_signal(
                (signal.SIGKILL, signal.SIGINT)[number % 2])
            process.communicate()
            self.assertNotEqual(0, process.returncode)
            counts.append(self.count("scriptactivity"))
            self.assertEqual(totals, list(main_store().execute(TOTALS)))
            self.ztm.commit()
        # The last ones began where the first ones were killed.
        self.assertGreater(counts[0], counts[-1])
        process = self.start()
        _, err = process.communicate()
        self.assertEqual(0, process.returncode, err)
        self.assertEqual(totals, list(main_store().execute(TOTALS)))
        names = {day.name for day in self.days.getDays(None, None)}
        self.assertEqual(7, len(names))
        for name in names:
            self.assertEqual(2, len({
                run.hostname for run in getUtility(IScriptHistorySet).getRuns(
                    name, TODAY - 30 * DAY, TODAY)}))

    def start(self):
        return start_python(
            ["-c", "import sys\n"
             "from canonical.launchpad.command import prune\n"
             "from canonical.launchpad.command.program import scriptactivity\n"
             "prune.BATCH = 300\n"
             "sys.exit(scriptactivity())",
             "prune", "--keep", "30d", "--keep-failures", "60d", "-q"],
            dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def wait_for_a_batch(self, process):
        """Wait until it has deleted something, or has ended."""
        before = self.rows()
        while process.poll() is None and self.rows() == before:
            pass

    def rows(self):
        self.ztm.commit()
        return self.count("scriptactivity") + self.count("scriptattempt")

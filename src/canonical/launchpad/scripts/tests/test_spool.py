"""Successes that could not be recorded at once."""

import datetime
import json
import os
import tempfile
import unittest
import uuid
from pathlib import Path

import psycopg2

from canonical.database import xact
from canonical.launchpad.scripts.spool import DamagedFile
from canonical.launchpad.scripts.spool import Spool
from canonical.launchpad.scripts.spool import Success
from canonical.launchpad.scripts.stopwatch import Stopwatch
from canonical.launchpad.scripts.tests.support import SUCCEED
from canonical.launchpad.scripts.tests.support import ScriptTestCase


START = datetime.datetime(2007, 2, 1, 10, 0, tzinfo=datetime.UTC)
KEY = uuid.UUID("12345678-1234-5678-1234-567812345678")


def make_success(**changes):
    values = dict(
        name="garbo", hostname="host", date_started=START,
        date_completed=START + datetime.timedelta(minutes=1), run_key=KEY)
    return Success(**dict(values, **changes))


class TestSpool(unittest.TestCase):

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        self.spool = Spool(self.directory)

    def test_a_person_can_read_it(self):
        path = self.spool.write(make_success(name="größer"))
        self.assertEqual(
            "20070201T100000 gr%C3%B6%C3%9Fer"
            " 12345678-1234-5678-1234-567812345678.json", path.name)
        self.assertEqual(
            {
                "name": "größer",
                "hostname": "host",
                "date_started": "2007-02-01T10:00:00+00:00",
                "date_completed": "2007-02-01T10:01:00+00:00",
                "run_key": "12345678-1234-5678-1234-567812345678",
            },
            json.loads(path.read_text()))
        self.assertIn("größer", path.read_text())

    def test_what_is_written_is_read(self):
        for success in (
            make_success(name="../a/b" + "x" * 249),
            make_success(transaction_id="123"),
        ):
            path = self.spool.write(success)
            self.assertEqual(self.directory, path.parent)
            self.assertEqual([path], self.spool.paths())
            self.assertEqual(success, self.spool.read(path))
            self.spool.remove(path)
            self.assertEqual([], list(self.directory.iterdir()))

    def test_what_another_process_has_sent_is_not_missed(self):
        path = self.spool.write(make_success())
        path.unlink()
        self.assertIsNone(self.spool.read(path))
        self.spool.remove(path)
        self.spool.set_aside(path)

    def test_what_is_unfinished_is_absent(self):
        path = self.spool.write(make_success())
        mine = path.rename(path.with_suffix(f".unfinished-{os.getpid()}"))
        for pid in "99999999", "9" * 30, "x":
            mine.with_suffix(f".unfinished-{pid}").write_text("{")
        os.mkfifo(self.directory / "fifo.json")
        self.assertEqual([], self.spool.paths())
        self.spool.remove_unfinished()
        self.assertEqual(
            {mine, self.directory / "fifo.json"},
            set(self.directory.iterdir()))

    def test_a_directory_that_is_not_there(self):
        with self.assertRaises(OSError):
            Spool(self.directory / "missing").write(make_success())

    def test_what_is_damaged_is_said(self):
        path = self.directory / "x.json"
        good = make_success().as_dict()
        for text in (
            "", "{", "[]", "null", "{}", '"x"',
            json.dumps(dict(good, run_key="x")),
            json.dumps(dict(good, run_key=None)),
            json.dumps(dict(good, date_started="yesterday")),
            json.dumps(dict(good, date_started=3)),
            json.dumps({k: v for k, v in good.items() if k != "name"}),
            json.dumps(dict(good, transaction_id=5)),
            json.dumps(dict(good, transaction_id="5\0")),
            json.dumps(dict(good, attempt_id="x")),
            "[" * 100000,
        ):
            path.write_text(text)
            with self.assertRaises(DamagedFile):
                self.spool.read(path)
        path.write_bytes(b"\xff\xfe")
        with self.assertRaises(DamagedFile):
            self.spool.read(path)


class TestStopwatch(unittest.TestCase):

    def test_a_clock_that_is_set_back_does_not_shorten_a_run(self):
        watch = Stopwatch()
        watch.date_started += datetime.timedelta(hours=1)
        completed = watch.date_completed()
        self.assertGreaterEqual(completed, watch.date_started)
        self.assertLess(
            completed - watch.date_started, datetime.timedelta(minutes=1))

    def test_a_clock_that_runs_is_believed(self):
        watch = Stopwatch()
        watch.date_started -= datetime.timedelta(hours=1)
        self.assertGreaterEqual(
            watch.date_completed() - watch.date_started,
            datetime.timedelta(hours=1))


class TestScripts(ScriptTestCase):

    def write_pending(self, transaction_id, cluster_id=None):
        self.ztm.begin()
        self.spool.mkdir(parents=True, exist_ok=True)
        Spool(self.spool).write(make_success(
            transaction_id=transaction_id,
            cluster_id=cluster_id or xact.cluster_id(),
            run_key=uuid.uuid4()))
        self.ztm.abort()

    def spooled(self):
        if not self.spool.exists():
            return []
        return sorted(path.suffix for path in self.spool.iterdir())

    def run_without_table(self):
        self.execute("ALTER TABLE scriptactivity RENAME TO away")
        try:
            return self.run_script()
        finally:
            self.execute("ALTER TABLE away RENAME TO scriptactivity")

    def test_the_database_refuses_the_record(self):
        process = self.run_without_table()
        self.assertEqual(0, process.returncode)
        line, = self.log(process)
        path, = self.spool.iterdir()
        self.assertEqual(
            'ERROR   The success is not recorded yet: relation'
            ' "scriptactivity" does not exist (make or upgrade the tables'
            " with: scriptactivity init).  It is kept in"
            f" {path}, and the next cron script on this host sends it in.",
            line)
        self.assertEqual(["done"], self.work())
        self.assertIsNone(self.last())

    def test_the_next_script_sends_it_in(self):
        self.run_without_table()
        self.assertEqual([".json"], self.spooled())
        process = self.run_script(
            "def main(self): note(str(main_store().execute("
            "'SELECT count(*) FROM scriptactivity').get_one()[0]))",
            arguments="'another'")
        self.assertEqual((0, ""), (process.returncode, process.err))
        self.assertEqual(["done", "1"], self.work())
        self.assertEqual("tidy", self.last("tidy").name)
        self.assertEqual([], self.spooled())

    def test_the_table_is_locked_for_longer_than_it_tries(self):
        other = psycopg2.connect(**self.parameters)
        self.addCleanup(other.close)
        other.cursor().execute("LOCK TABLE scriptactivity")
        process = self.run_script()
        other.rollback()
        self.assertEqual(0, process.returncode)
        line, = self.log(process)
        self.assertTrue(line.startswith(
            "WARNING The success is not recorded yet: "), line)
        self.assertEqual([".json"], self.spooled())

    def test_damaged_files_are_set_aside_and_stop_nobody(self):
        self.run_without_table()
        for name in "0 first.json", "zzz last.json", "0 p.pending":
            (self.spool / name).write_text("{")
        good = make_success(name="x" * 300)
        Spool(self.spool).write(good)
        process = self.run_script()
        self.assertEqual(0, process.returncode)
        log = self.log(process)
        self.assertEqual(4, len(log), log)
        for line in log:
            self.assertRegex(
                line, "^ERROR   Not a success that can be recorded: .*;"
                " now at .*damaged$")
        self.assertEqual([".damaged"] * 4, self.spooled())
        self.execute("SELECT 1/(count(*) = 2)::integer FROM scriptactivity")

    def test_an_unwritable_spool_is_an_error_with_the_record_in_full(self):
        self.execute("ALTER TABLE scriptactivity RENAME TO away")
        self.addCleanup(
            self.execute, "ALTER TABLE away RENAME TO scriptactivity")
        process = self.run_script(SUCCEED, **self.configure(
            "[scripts]\nspool_directory: /proc\n"))
        self.assertEqual(1, process.returncode)
        last = self.log(process)[-1]
        self.assertRegex(
            last, "^ERROR   The success is not recorded, and cannot be spooled"
            ' either; enter it by hand: {"name": "tidy", "hostname": ".+",'
            ' "date_started": ".+", "date_completed": ".+", "run_key": ')

    def test_a_pending_success_of_a_transaction_that_nobody_knows(self):
        for transaction_id in "999999999999", "no-number", "0":
            self.write_pending(transaction_id)
        process = self.run_script()
        self.assertEqual([".damaged"] * 3, self.spooled())
        self.assertEqual(3, len(self.log(process)))
        self.assertIsNone(self.last("garbo"))

    def test_a_pending_success_that_is_still_being_committed_is_left(self):
        other = psycopg2.connect(**self.parameters)
        self.addCleanup(other.close)
        cursor = other.cursor()
        cursor.execute("INSERT INTO work VALUES ('slow')")
        cursor.execute("SELECT pg_current_xact_id()::text")
        transaction_id, = cursor.fetchone()
        self.write_pending(transaction_id)
        self.run_script()
        self.assertEqual([".pending"], self.spooled())
        self.assertIsNone(self.last("garbo"))
        other.commit()
        self.run_script()
        self.assertEqual([], self.spooled())
        self.assertEqual(START, self.last("garbo").date_started)

    def test_a_pending_success_of_another_cluster_is_left_to_its_scripts(self):
        self.write_pending("1", cluster_id="123")
        self.assert_recorded(self.run_script())
        self.assertEqual([".pending"], self.spooled())

    def test_a_pending_success_that_was_rolled_back_is_forgotten(self):
        other = psycopg2.connect(**self.parameters)
        self.addCleanup(other.close)
        cursor = other.cursor()
        cursor.execute("INSERT INTO work VALUES ('slow')")
        cursor.execute("SELECT pg_current_xact_id()::text")
        transaction_id, = cursor.fetchone()
        other.rollback()
        self.write_pending(transaction_id)
        self.run_script()
        self.assertEqual([], self.spooled())
        self.assertIsNone(self.last("garbo"))

    def test_a_wrong_duration_is_said_before_anything_is_done(self):
        process = self.run_script(SUCCEED, **self.configure(
            "[scripts]\nrecord_timeout: soon\n"))
        self.assertEqual(2, process.returncode)
        self.assertEqual(
            ["ERROR   [scripts] record_timeout: not a duration: 'soon';"
             " expected something like 90s or 1m30s"], self.log(process))
        self.assert_nothing_left()

    def test_a_duration_that_is_too_long(self):
        process = self.run_script(SUCCEED, **self.configure(
            "[scripts]\nrecord_timeout: 99999999999d\n"))
        self.assertEqual(2, process.returncode)

    def override(self, body):
        return self.run_script(f"""
            def main(self):
                note("done")

            def record_activity(self, date_started, date_completed):
                {body}
            """)

    def test_who_overrides_the_record_decides_whether_there_is_one(self):
        self.assertEqual(0, self.override("pass").returncode)
        self.assertEqual([], self.spooled())
        self.run_script("def main(self): pass", arguments="'other'")
        self.assertIsNone(self.last())

    def test_who_overrides_the_record_may_call_the_original(self):
        process = self.override(
            "super().record_activity(date_started, date_completed)")
        self.assert_recorded(process)
        self.assertEqual([], self.spooled())

    def test_killed_while_it_tries_again_after_work_in_portions(self):
        self.write_script("""
            def main(self):
                note("done")
                self.txn.commit()
                main_store().execute("LOCK TABLE work")
                self.txn.abort()
                print("ready", flush=True)
                sys.stdin.readline()
            """)
        process = self.start(**self.configure(
            "[scripts]\nrecord_timeout: 1h\n"))
        self.assertEqual("ready\n", process.stdout.readline())
        other = psycopg2.connect(**self.parameters)
        self.addCleanup(other.close)
        other.cursor().execute("LOCK TABLE scriptactivity")
        process.stdin.write("\n")
        process.stdin.flush()
        while self.spooled() != [".json"]:
            self.assertIsNone(process.poll())
        process.kill()
        process.communicate()
        other.rollback()
        self.run_script("def main(self): pass", arguments="'other'")
        self.assertEqual("tidy", self.last().name)

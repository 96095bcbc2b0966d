"""Successes that could not be recorded at once."""

import datetime
import json
import os
import resource
import tempfile
import threading
import traceback
import unittest
import uuid
from pathlib import Path
from unittest import mock

import psycopg2
from psycopg2.extensions import make_dsn
from zope.component import getUtility

from canonical.database.connection import database_of
from canonical.database.postgres import apply_schema
from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.scripts.attempt import Attempt
from canonical.launchpad.scripts.spool import DamagedFile
from canonical.launchpad.scripts.spool import Success
from canonical.launchpad.scripts.spool import _remove_unfinished
from canonical.launchpad.scripts.spool import read_success
from canonical.launchpad.scripts.spool import spooled_paths
from canonical.launchpad.scripts.spool import write_success
from canonical.launchpad.scripts.tests.support import SUCCEED
from canonical.launchpad.scripts.tests.support import ScriptTestCase


START = datetime.datetime(2007, 2, 1, 10, 0, tzinfo=datetime.UTC)
KEY = uuid.UUID("12345678-1234-5678-1234-567812345678")


def make_success(**changes):
    values = dict(
        name="garbo", hostname="host", date_started=START,
        date_completed=START + datetime.timedelta(minutes=1), run_key=KEY,
        attempt="none", database="dbname=app")
    return Success(**dict(values, **changes))


class TestFiles(unittest.TestCase):

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)

    def test_a_person_can_read_it(self):
        path = write_success(self.directory, make_success(name="größer"))
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
                "attempt": "none",
                "database": "dbname=app",
            },
            json.loads(path.read_text()))
        self.assertIn("größer", path.read_text())

    def test_it_is_on_disk_before_it_has_its_name_and_so_is_that(self):
        fsync, synced = os.fsync, []

        def note(descriptor):
            path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
            fsync(descriptor)
            synced.append((path, path.is_file() and path.read_text()))

        with mock.patch("os.fsync", note):
            path = write_success(self.directory, make_success())
        self.assertEqual([
            (path.with_suffix(f".unfinished-{os.getpid()}"), path.read_text()),
            (self.directory, False)], synced)

    def test_a_full_disk_leaves_nothing(self):
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
        try:
            with self.assertRaisesRegex(OSError, "File too large"):
                write_success(self.directory, make_success())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        self.assertEqual([], list(self.directory.iterdir()))

    def test_they_are_in_order_of_their_starts(self):
        paths = [
            write_success(self.directory, make_success(
                date_started=START + minutes * datetime.timedelta(minutes=1)))
            for minutes in (3, 1, 4, 0, 2)]
        self.assertEqual(
            [paths[number] for number in (3, 1, 4, 0, 2)],
            spooled_paths(self.directory))

    @unittest.skipIf(os.geteuid() != 0, "only root can be other users")
    def test_what_another_user_may_do(self):
        os.chown(self.directory, 65534, -1)
        by_root = write_success(self.directory, make_success())
        proven = write_success(self.directory, make_success(
            attempt="committed", run_key=uuid.uuid4()))
        os.chown(proven, 65533, -1)
        alive = self.directory / "x.unfinished-1"
        alive.write_text("")
        child = os.fork()
        if child == 0:
            try:
                os.setuid(65534)
                read_success(by_root)
                read_success(proven)
                _remove_unfinished(self.directory)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        self.assertEqual(0, os.waitpid(child, 0)[1])
        self.assertTrue(alive.exists())

    def test_a_directory_that_cannot_be_synced_has_the_file(self):
        # It can be written to, but not be read.
        self.directory.chmod(0o300)
        if os.geteuid() == 0:
            os.chown(self.directory, 65534, -1)
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)
        path = write_success(self.directory, make_success())
        self.assertTrue(path.exists())

    def test_what_is_written_is_read(self):
        for success in (
            make_success(name="../a/b" + "x" * 249),
            make_success(attempt="committed"),
            make_success(name="\N{BUG}" * 255, hostname="\x7f" * 255),
        ):
            path = write_success(self.directory, success)
            self.assertEqual(self.directory, path.parent)
            self.assertEqual([path], spooled_paths(self.directory))
            self.assertEqual(success, read_success(path))
            path.unlink()
            self.assertEqual([], list(self.directory.iterdir()))

    def test_a_directory_that_is_not_there(self):
        with self.assertRaises(OSError):
            write_success(self.directory / "missing", make_success())

    def test_what_is_damaged_is_said(self):
        path = write_success(self.directory, make_success())
        good = json.loads(path.read_text())
        for text in (
            "", "{", "[]", "null", "{}", '"x"',
            json.dumps(dict(good, run_key="x")),
            json.dumps(dict(good, run_key=None)),
            json.dumps(dict(good, date_started="yesterday")),
            json.dumps(dict(good, date_started=3)),
            json.dumps({k: v for k, v in good.items() if k != "name"}),
            json.dumps(dict(good, attempt="x")),
            json.dumps(dict(good, attempt=["none"])),
            json.dumps(dict(good, more="x")),
            "[" * 60000,
            " " * 70000,
        ):
            path.write_text(text)
            with self.assertRaises(DamagedFile):
                read_success(path)
        path.write_bytes(b"\xff\xfe")
        with self.assertRaises(DamagedFile):
            read_success(path)

    def test_what_is_no_file_is_not_read(self):
        path = write_success(self.directory, make_success())
        link = self.directory / "link.json"
        link.symlink_to(path)
        device = self.directory / "device.json"
        device.symlink_to("/dev/zero")
        os.mkfifo(self.directory / "fifo.json")
        (self.directory / "directory.json").mkdir()
        with open(self.directory / "large.json", "w") as large:
            large.truncate(6_000_000_000)
        for name in "link", "device", "fifo", "directory", "large":
            with self.assertRaises(DamagedFile):
                read_success(self.directory / f"{name}.json")


class TestScripts(ScriptTestCase):

    def write_success(self, **changes):
        """Write a success to the spool, by default for this database."""
        self.ztm.begin()
        self.spool.mkdir(parents=True, exist_ok=True)
        values = dict(
            run_key=uuid.uuid4(), database=database_of(main_store()))
        path = write_success(
            self.spool, make_success(**dict(values, **changes)))
        self.ztm.abort()
        return path

    def spooled(self):
        if not self.spool.exists():
            return []
        return sorted(path.suffix for path in self.spool.iterdir())

    def run_other(self):
        """Run a script of another name, which sends the spool."""
        return self.run_script(
            "def main(self): pass", arguments="'other'")

    def run_without_table(self, *args, **settings):
        self.execute("ALTER TABLE scriptactivity RENAME TO away")
        try:
            return self.run_script(*args, **settings)
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
            " with: scriptactivity init).  It is spooled in"
            f" {path}, and the next cron script on this host records it.",
            line)
        self.assertEqual(["done"], self.work())
        # The proof of its work is enough for all queries.
        self.assertEqual("tidy", self.last().name)
        self.assertEqual(
            (0,), main_store().execute(
                "SELECT count(*) FROM scriptactivity").get_one())

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
        path = self.write_success()
        for name in "0 first.json", "zzz last.json":
            (self.spool / name).write_text("{")
        (self.spool / "1 link.json").symlink_to("/dev/zero")
        os.mkfifo(self.spool / "1 fifo.json")
        (self.spool / "1 directory.json").mkdir()
        with open(self.spool / "1 large.json", "w") as large:
            large.truncate(6_000_000_000)
        self.write_success(name="x" * 300)
        self.write_success(name="unknown", database="")
        process = self.run_script()
        self.assertEqual(0, process.returncode)
        log = self.log(process)
        self.assertEqual(7, len(log), log)
        for line in log:
            self.assertRegex(
                line,
                r"^ERROR   .*\.damaged is not recorded: it is not a success")
        self.assertEqual([".damaged"] * 7, self.spooled())
        self.assertFalse(path.exists())
        for name in "garbo", "unknown":
            self.assertEqual(START, self.last(name).date_started)

    def test_what_is_unfinished_is_absent(self):
        path = self.write_success()
        mine = path.rename(path.with_suffix(f".unfinished-{os.getpid()}"))
        for pid in "99999999", "9" * 30, "x":
            mine.with_suffix(f".unfinished-{pid}").write_text("{")
        self.assertEqual([], spooled_paths(self.spool))
        self.assert_recorded(self.run_script())
        self.assertEqual([mine], list(self.spool.iterdir()))

    def test_one_of_another_database_is_left_to_its_scripts(self):
        for attempt in "none", "begun", "committed":
            self.write_success(attempt=attempt, database="dbname=elsewhere")
        self.assert_recorded(self.run_script())
        self.assertEqual([".json"] * 3, self.spooled())
        self.assertIsNone(self.last("garbo"))

    def test_it_is_sent_to_the_database_that_it_was_spooled_for(self):
        theirs = dict(self.parameters, dbname="elsewhere")
        self.execute("DROP DATABASE IF EXISTS elsewhere")
        self.execute("CREATE DATABASE elsewhere TEMPLATE template0")
        self.addCleanup(self.execute, "DROP DATABASE elsewhere")
        elsewhere = {"LP_DATABASE_URI": make_dsn(**theirs)}
        process = self.run_script("def main(self): pass", **elsewhere)
        self.assertEqual([".json"], self.spooled(), process.err)
        self.run_other()
        self.assertEqual([".json"], self.spooled())
        self.assertIsNone(self.last())
        apply_schema(theirs)
        process = self.start(**elsewhere)
        process.communicate()
        self.assertEqual([], self.spooled())
        self.assertIsNone(self.last())

    def test_one_whose_proof_is_there_is_sent_whatever_the_database(self):
        path = self.write_success(
            attempt="committed", database="dbname=elsewhere")
        success = read_success(path)
        getUtility(IScriptAttemptSet).markCommitted(
            success.run_key, success.name, START, START, success.hostname)
        self.ztm.commit()
        self.run_other()
        self.assertEqual([], self.spooled())
        self.assertEqual(START, self.last("garbo").date_started)

    def test_one_whose_work_a_failover_has_lost_is_set_aside(self):
        self.write_success(attempt="committed")
        process = self.run_script()
        self.assertEqual(0, process.returncode)
        line, = self.log(process)
        self.assertRegex(
            line, r"^ERROR   .*\.damaged is not recorded: its work was"
            " committed and is no longer in the database, as after a failover")
        self.assertIsNone(self.last("garbo"))

    def test_what_is_committed_and_not_recorded_is_recorded_by_the_next(self):
        getUtility(IScriptAttemptSet).markCommitted(
            KEY, "garbo", START, START + datetime.timedelta(minutes=1), "far")
        main_store().execute("UPDATE scriptattempt SET process = NULL")
        self.ztm.commit()
        self.assert_recorded(self.run_script())
        last = self.last("garbo")
        self.assertEqual(
            ("far", START + datetime.timedelta(minutes=1)),
            (last.hostname, last.date_completed))
        self.assertEqual([], getUtility(IScriptAttemptSet).getUnrecorded())

    def test_one_that_cannot_be_recorded_keeps_no_other_waiting(self):
        self.execute(
            "INSERT INTO scriptattempt (run_key, name, hostname, pid,"
            " date_started, date_committed) VALUES"
            f" ('{uuid.uuid4()}', '', 'far', 1, '2007-01-01', '2007-01-01'),"
            f" ('{uuid.uuid4()}', 'garbo', 'far', 1, '2007-02-01',"
            " '2007-02-01')")
        process = self.run_script()
        self.assertEqual(0, process.returncode)
        line, = self.log(process)
        self.assertRegex(line, "^ERROR   The success of run .* cannot be")
        self.assertEqual("far", self.last("garbo").hostname)

    def test_an_unwritable_spool_is_an_error_with_the_record_in_full(self):
        process = self.run_without_table(
            "def main(self): pass",
            **self.configure("[scripts]\nspool_directory: /proc\n"))
        self.assertEqual(1, process.returncode)
        last = self.log(process)[-1]
        self.assertRegex(
            last, "^ERROR   The success is not recorded yet: .*  It cannot be"
            ' spooled either: .*  Put this line into .*: {"name": "tidy",'
            ' "hostname": ".+",'
            ' "date_started": ".+", "date_completed": ".+", "run_key": ')

    def test_an_unwritable_spool_loses_no_success_whose_proof_is_there(self):
        process = self.run_without_table(
            **self.configure("[scripts]\nspool_directory: /proc\n"))
        self.assertEqual(0, process.returncode)
        self.assertRegex(
            self.log(process)[-1],
            "^ERROR   The success is not recorded yet: .*  The next cron"
            " script records it, or: scriptactivity flush$")
        self.run_other()
        self.assertEqual("tidy", self.last().name)

    def test_a_spool_that_cannot_be_made_stops_no_script(self):
        file = Path(self.enterContext(tempfile.NamedTemporaryFile()).name)
        process = self.run_script(
            SUCCEED, LP_STATE_DIRECTORY=str(file))
        self.assertEqual(0, process.returncode)
        line, = self.log(process)
        self.assertRegex(
            line, "^WARNING Earlier successes in the spool .* are not recorded"
            f" yet: .*: cannot make {file}/spool: Not a directory$")
        self.assertEqual("tidy", self.last().name)

    def test_a_wrong_duration_is_said_before_anything_is_done(self):
        process = self.run_script(SUCCEED, **self.configure(
            "[scripts]\nrecord_timeout: soon\n"))
        self.assertEqual(2, process.returncode)
        line, = self.log(process)
        self.assertRegex(
            line, r"^ERROR   .*: line 2: \[scripts\] record_timeout: not a"
            " duration: 'soon'; expected something like 90s, 1h30m, 1.5h, 2d"
            " or 1w$")
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
            "super().record_activity(date_started.replace(year=2007),"
            " date_completed)")
        self.assert_recorded(process)
        self.assertEqual(2007, self.last().date_started.year)
        self.assertEqual([], self.spooled())

    def test_a_clock_that_is_set_back_does_not_shorten_a_run(self):
        attempt = Attempt("tidy", self.ztm, True, threading.Event(), None)
        attempt.date_started += datetime.timedelta(hours=1)
        completed = attempt.date_completed()
        self.assertGreaterEqual(completed, attempt.date_started)
        self.assertLess(
            completed - attempt.date_started, datetime.timedelta(minutes=1))

    def test_a_clock_that_runs_is_believed(self):
        attempt = Attempt("tidy", self.ztm, True, threading.Event(), None)
        attempt.date_started -= datetime.timedelta(hours=1)
        self.assertGreaterEqual(
            attempt.date_completed() - attempt.date_started,
            datetime.timedelta(hours=1))

"""Whatever the database does, a command runs at once, and ends as it ends."""

import os
import signal
import socket
import time
from pathlib import Path

from psycopg2.extensions import make_dsn

from canonical.database.databaseuri import database_named
from canonical.database.sqlbase import main_store
from canonical.launchpad.scripts.spool import read_success
from canonical.launchpad.scripts.tests.runsupport import RunTestCase


class TestDatabase(RunTestCase):

    def assert_unhurt(self, env, words, warnings=1):
        """The command runs, and one WARNING says what is not on record."""
        process = self.run_command("echo out; exit 3", "--ok", "3", env=env)
        self.assertEqual((3, "out\n"), (process.returncode, process.out))
        self.assertEqual(warnings, process.err.count("\n"), process.err)
        self.assertIn(" WARNING ", process.err)
        self.assertIn(words, process.err)
        return process

    def spooled(self):
        return [read_success(path) for path in self.spool.glob("*.json")]

    def test_no_server(self):
        uri = "postgresql:///app?host=/nowhere"
        self.assert_unhurt(
            {"LP_DATABASE_URI": uri},
            "The success of backup is not recorded yet: cannot connect to"
            " database app on /nowhere: ")
        success, = self.spooled()
        self.assertEqual(
            "host=/nowhere port=5432 dbname=app", success.database)

    def test_a_failure_is_not_spooled(self):
        process = self.run_command(
            "exit 4", env={"LP_DATABASE_URI": "postgresql:///?host=/nowhere"})
        self.assertEqual(4, process.returncode)
        self.assertIn("This run of backup is not on record", process.err)
        self.assertFalse(self.spool.exists())

    def test_a_server_that_does_not_answer(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            self.assert_unhurt(
                {"LP_DATABASE_URI": f"postgresql://127.0.0.1:{port}/app"},
                "the database has not answered within 1 s.  It is spooled in")
        success, = self.spooled()
        self.assertEqual(
            f"host=127.0.0.1 port={port} dbname=app", success.database)

    def test_a_server_that_hangs_at_the_end(self):
        process = self.begin("echo ready; read line")
        process.stdout.readline()
        self.until_begun()
        self.ztm.begin()
        main_store().execute("LOCK scriptattempt")
        out, err = process.communicate(b"\n", timeout=30)
        self.assertEqual(0, process.returncode)
        self.assertIn(b"has not answered within 1 s", err)
        self.ztm.abort()
        # The next run here sends it.
        self.begin_and_wait_until_sent()
        self.assertEqual("success", self.attempt().outcome)
        self.assertIsNotNone(self.last("backup"))

    def until_begun(self):
        while not self.rows():
            time.sleep(0.01)

    def rows(self):
        self.ztm.begin()
        return main_store().execute("TABLE scriptattempt").get_all()

    def test_no_tables(self):
        self.assert_unhurt(
            {"LP_DATABASE_URI": make_dsn(
                **{**self.parameters, "dbname": "template1"})},
            "scriptactivity init")
        self.assertEqual(1, len(self.spooled()))

    def test_no_rights(self):
        self.execute("CREATE ROLE stranger LOGIN")
        self.addCleanup(self.execute, "DROP ROLE stranger")
        self.assert_unhurt(
            {"LP_DATABASE_URI": make_dsn(
                **{**self.parameters, "user": "stranger"})},
            "permission denied")
        self.assertEqual(1, len(self.spooled()))

    def test_tables_of_an_older_version(self):
        for column in "stdout", "stderr":
            self.execute(f"ALTER TABLE scriptattempt DROP {column}")
            self.addCleanup(
                self.execute, f"ALTER TABLE scriptattempt ADD {column} text")
        self.assert_unhurt({}, "scriptactivity init")

    def test_a_wrong_configuration(self):
        for text, words in (
            ("[nonsense]\n", "no section [nonsense]"),
            ("[run]\nredact: (\n", "[run] redact: not a regular expression"),
            ("[run]\nkeep_output: some\n", "not a size: 'some'"),
        ):
            self.assert_unhurt(self.configure(text), words)
        self.assert_unhurt(
            {"LPCONFIG": "/nowhere"}, "LPCONFIG: no such file: '/nowhere'")
        self.assert_unhurt(
            {"LP_DATABASE_URI": "nonsense"}, "not a PostgreSQL URI")

    def test_upgraded_meanwhile(self):
        # What is imported late is not there.
        process = self.run_command("echo out; exit 3", prepare="""
import canonical.launchpad.command.run
sys.modules["canonical.launchpad.plaintext"] = None
""")
        self.assertEqual((3, "out\n"), (process.returncode, process.out))
        self.assertIn("this run is not on record", process.err)

    def test_no_place_for_the_spool(self):
        self.assert_unhurt(
            {"LP_DATABASE_URI": "postgresql:///?host=/nowhere",
             "LP_STATE_DIRECTORY": "/proc/nowhere"},
            "cannot make /proc/nowhere")

    def test_a_full_disk(self):
        process = self.run_command(
            "echo out",
            env={"LP_DATABASE_URI": "postgresql:///?host=/nowhere"},
            prepare="import resource; resource.setrlimit("
                    "resource.RLIMIT_FSIZE, (2, 2))")
        self.assertEqual((0, "out\n"), (process.returncode, process.out))
        self.assertIn("It cannot be spooled either", process.err)

    def test_what_others_have_spooled_is_sent(self):
        env = {"LP_DATABASE_URI": "postgresql:///?host=/nowhere"}
        self.run_command("true", env=env)
        path, = self.spool.glob("*.json")
        here = database_named(make_dsn(**self.parameters))
        path.write_text(path.read_text().replace(
            self.spooled()[0].database, here))
        self.begin_and_wait_until_sent()
        self.assertIsNotNone(self.last("backup"))
        self.assertIsNotNone(self.last("other"))

    def begin_and_wait_until_sent(self):
        process = self.begin("read line", name="other")
        while self.spooled():
            time.sleep(0.01)
        self.finish(process, b"\n")

    def test_no_connection_is_held_meanwhile(self):
        process = self.begin("read line")
        self.until_begun()
        ours = self.clients()
        while self.clients() > 1:
            time.sleep(0.01)
        self.finish(process, b"\n")
        self.assertGreaterEqual(ours, 1)

    def clients(self):
        self.ztm.begin()
        (count,) = main_store().execute(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type ="
            " 'client backend'").get_one()
        return count

    def test_killed_by_a_signal_while_the_database_hangs(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            process = self.begin("echo $$; exec sleep 60", env={
                "LP_DATABASE_URI": f"postgresql://127.0.0.1:{port}/app"})
            command = int(process.stdout.readline())
            process.send_signal(signal.SIGTERM)
            self.finish(process)
        self.assertEqual(-signal.SIGTERM, process.returncode)
        self.assertFalse(Path(f"/proc/{command}").exists())


class TestDatabaseNamed(RunTestCase):
    """It is known which database it would be, without a connection."""

    def test_as_a_connection_says(self):
        self.assertEqual(
            self.ztm.database, database_named(make_dsn(**self.parameters)))

    def test_what_the_environment_adds(self):
        before = dict(os.environ)
        self.addCleanup(os.environ.update, before)
        self.addCleanup(os.environ.clear)
        for name in "HOST", "HOSTADDR", "PORT", "USER", "DATABASE":
            os.environ.pop(f"PG{name}", None)
        os.environ["PGHOST"] = "db"
        self.assertEqual(
            "host=db port=5432 dbname=me", database_named("user=me"))
        os.environ["PGDATABASE"] = "app"
        self.assertEqual(
            "host=db port=5433 dbname=app",
            database_named("postgresql://me@:5433"))
        os.environ["PGSERVICE"] = "other"
        self.assertEqual("", database_named("user=me"))

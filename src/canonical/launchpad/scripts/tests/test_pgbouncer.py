"""Scripts and commands behind PgBouncer, which pools transactions.

A connection to PgBouncer is no session of the server.  Two transactions of it
may run in two sessions, and a statement waits until the pool has one free.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
import unittest
import urllib.request

import psycopg2
from psycopg2.extensions import make_dsn

from canonical.database.sqlbase import main_store
from canonical.launchpad.scripts.tests.runsupport import PROGRAM
from canonical.launchpad.scripts.tests.serving import pages
from canonical.launchpad.scripts.tests.support import ScriptTestCase
from canonical.testing.children import start_python
from canonical.testing.pgbouncer import PgBouncer
from canonical.testing.pgbouncer import find_pgbouncer


# At once, through a pool of 20.  SCRIPTS_AT_ONCE=500 keeps two cores busy for
# minutes.
SCRIPTS = int(os.environ.get("SCRIPTS_AT_ONCE", "60"))

# Processes that all begin when the last one is there.
TOGETHER = """
import os, sys
from canonical.database.sqlbase import main_store
from canonical.launchpad.scripts.base import LaunchpadCronScript
from canonical.launchpad.zcml import register_recording

class Work(LaunchpadCronScript):
    def main(self):
        main_store().execute("INSERT INTO work VALUES (?)", (self.name,))

register_recording()
begin, all_are_there = os.pipe()
for name in sys.argv[1:]:
    if os.fork() == 0:
        os.close(all_are_there)
        os.read(begin, 1)
        Work(name, test_args=[]).lock_and_run()
        sys.exit()
os.close(all_are_there)
failed = sum(os.wait()[1] != 0 for name in sys.argv[1:])
sys.exit(min(failed, 99))
"""

COUNTS = """
    SELECT (SELECT count(*) FROM scriptactivity),
        (SELECT count(DISTINCT name) FROM scriptactivity),
        (SELECT count(*) FROM scriptattempt WHERE outcome = 'success')
"""

RULES = """
<configure xmlns:lp="http://namespaces.canonical.com/lp">
  <include package="canonical.launchpad" file="meta.zcml" />
  <lp:script name="tidy" schedule="*/10 * * * *" />
</configure>
"""

# It works when a line arrives, and is killed before its record.
WAITS = """
def main(self):
    sys.stdin.readline()
    note("done")
"""
KILLED = WAITS + """
def record_activity(self, date_started, date_completed):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@unittest.skipUnless(find_pgbouncer(), "needs Debian's package pgbouncer")
class TestPgBouncer(ScriptTestCase):

    level = 2

    def bounce(self, size, role="script", **how):
        """Start a PgBouncer; return the environment that names it."""
        self.pooler = PgBouncer(
            {**self.parameters, "user": role}, size, roles=[role], **how)
        self.addCleanup(self.pooler.stop)
        return {"LP_DATABASE_URI": make_dsn(**self.pooler.parameters)}

    @contextlib.contextmanager
    def busy_pool(self):
        """Another client has the only session of the pool."""
        other = psycopg2.connect(**self.pooler.parameters)
        try:
            other.cursor().execute("SELECT 1")
            yield
        finally:
            other.close()

    def command(self, *arguments, **environment):
        """The exit status, and what it has printed."""
        process = start_python(
            ["-c", PROGRAM.format(""), *arguments],
            {**os.environ, **environment}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=60)
        self.ztm.begin()
        return process.returncode, out, err

    def wait_for_line(self, process, words):
        """Wait until it has logged a line with these words."""
        for line in process.stderr:
            if words in line:
                return
        self.fail(f"not logged: {words}")

    def test_a_script_works_and_is_recorded(self):
        pooled = self.bounce(1)
        for isolation in "read_committed", "serializable", "autocommit":
            process = self.run_script(
                call=f"lock_and_run(isolation={isolation!r})", **pooled)
            self.assertEqual((0, ""), (process.returncode, process.err))
        self.assertEqual(["done"] * 3, self.work())
        status, out, _ = self.command("list", "--json", **pooled)
        self.assertEqual((0, 1), (status, out.count('"tidy"')))

    def test_nothing_of_a_script_stays_in_the_session(self):
        """The next client finds the settings of the server."""
        pooled = self.bounce(1)
        names = ("lock_timeout", "transaction_isolation",
                 "default_transaction_isolation", "synchronous_commit")
        question = "SELECT " + ", ".join(
            f"current_setting('{name}')" for name in names)

        def settings():
            with contextlib.closing(
                psycopg2.connect(**self.pooler.parameters)
            ) as other, other.cursor() as cursor:
                cursor.execute(question)
                return cursor.fetchone()

        before = settings()
        self.run_script(call="run(isolation='serializable')", **pooled)
        self.assertEqual(before, settings())
        self.run_script(call="run(isolation='autocommit')", **pooled)
        self.assertEqual(before, settings())

    def test_run_check_and_alert(self):
        pooled = self.bounce(1, "monitor")
        rules = self.directory / "rules.zcml"
        rules.write_text(RULES)
        self.assertEqual(
            (7, "", ""), self.command(
                "run", "tidy", "--", "sh", "-c", "exit 7", **pooled))
        self.assertEqual(
            (0, "hello\n", ""), self.command(
                "run", "tidy", "--", "echo", "hello", **pooled))
        given = ["--expectations", str(rules)]
        status, out, err = self.command("check", *given, **pooled)
        self.assertEqual("", err)
        self.assertIn("tidy", out)
        self.assertIn(status, (0, 1, 2))
        self.assertEqual(
            (0, ""), self.command("alert", "-q", *given, **pooled)[::2])
        self.assertEqual(0, self.command("flush", **pooled)[0])

    def test_pages(self):
        """Each in transactions of the only session of the pool."""
        pooled = self.bounce(1, "monitor")
        rules = self.directory / "rules.zcml"
        rules.write_text(RULES)
        self.command("run", "tidy", "--", "echo", "hello", **pooled)
        with pages("--expectations", str(rules), **pooled) as url:
            for path in "/", "/scripts/tidy", "/", "/metrics":
                self.assertIn(
                    b"tidy", urllib.request.urlopen(url + path).read())

    def test_a_statement_is_cancelled(self):
        self.write_script("""
            def main(self):
                print("begun", flush=True)
                main_store().execute("SELECT pg_sleep(60)")
            """)
        process = self.start(**self.bounce(2))
        process.stdout.readline()
        time.sleep(0.1)
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertEqual(-signal.SIGTERM, process.returncode)
        self.assertLess(time.monotonic() - start, 30)

    def test_a_failure_while_the_pool_is_busy_ends_in_bounded_time(self):
        """Connecting asks nothing that would wait for the pool."""
        self.write_script("""
            def main(self):
                print("begun", flush=True)
                sys.stdin.readline()
                raise RuntimeError("no luck")
            """)
        process = self.start(**self.bounce(1, patience=0))
        process.stdout.readline()
        with self.busy_pool():
            _, err = process.communicate("\n", timeout=30)
        self.assertEqual(1, process.returncode)
        self.assertIn("The end of this run is not on record", err)

    def test_a_script_that_found_the_pool_busy_is_protected(self):
        """Its work is committed with the proof, though its start is not."""
        pooled = self.bounce(1, patience=1)
        self.write_script(KILLED, prepare="import os, signal")
        with self.busy_pool():
            process = self.start(**pooled)
            self.wait_for_line(
                process, "The start of this run is not on record")
        process.communicate("\n", timeout=60)
        self.assertEqual(-signal.SIGKILL, process.returncode)
        self.assertEqual(["done"], self.work())
        _, out, _ = self.command("flush", **pooled)
        self.assertIn("1 recorded", out)

    def test_many_scripts_at_once(self):
        """All are recorded, and none runs unprotected."""
        pooled = {**self.bounce(20, patience=0), **self.configure("")}
        names = [f"tidy-{number}" for number in range(SCRIPTS)]
        process = subprocess.run(
            [sys.executable, "-c", TOGETHER, *names],
            env={**os.environ, **pooled}, capture_output=True, text=True,
            timeout=300, check=False)
        self.assertEqual(0, process.returncode, process.stderr)
        self.assertNotIn("success is lost", process.stderr)
        # On a busy machine, some are spooled.
        self.assertEqual(0, self.command("flush", **pooled)[0])
        self.assertEqual(sorted(names), sorted(self.work()))
        self.assertEqual(
            [(SCRIPTS, SCRIPTS, SCRIPTS)],
            list(main_store().execute(COUNTS)))

"""Three servers, of which each has the successes of some scripts.

`docs/three-servers.sql` makes a fourth one ask them, through postgres_fdw.
It is used like a server that has everything, and gives the same answers.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

import psycopg2
from psycopg2.extensions import make_dsn

from canonical.database.embeddedhome import server_uid
from canonical.database.postgres import apply_schema
from canonical.database.tests.test_postgres import query
from canonical.launchpad.scripts.tests.runsupport import PROGRAM
from canonical.launchpad.scripts.tests.serving import pages
from canonical.testing import PostgresLayer
from canonical.testing.children import start_python


# The one of the layer may lack postgres_fdw.
PROGRAMS = next((each.parent.parent for each in Path("/").glob(
    "usr/lib/postgresql/*/bin/initdb")), None)

SETUP = Path(__file__).resolve().parents[5] / "docs"

NAMES = [f"script-{number}" for number in range(12)]

# More runs than `prune` keeps.
SUCCESSES = """
    INSERT INTO scriptactivity (name, hostname, date_started, date_completed,
        run_key)
    SELECT name, 'loganberry', started,
        started + length(name) * interval '1 s', md5(name || started)::uuid
    FROM unnest(ARRAY{}) AS name, generate_series(
        '2007-02-01 00:00+00'::timestamptz, '2007-02-06 00:00+00',
        interval '15 minutes') AS started
    WHERE started < '2007-02-03 06:00+00' OR right(name, 1) <> '7'
"""

# Each script has failed once.
FAILURES = """
    INSERT INTO scriptattempt (name, hostname, pid, date_started, date_ended,
        outcome, reason, run_key)
    SELECT name, 'loganberry', 1, '2007-02-02 10:03+00',
        '2007-02-02 10:04+00', 'failure', 'OSError', md5(name)::uuid
    FROM unnest(ARRAY{}) AS name
"""

COUNT = "SELECT name, count(*) FROM scriptactivity" \
    " WHERE name LIKE 'script-%' GROUP BY name ORDER BY name"

DAYS = "SELECT name, hostname, day, runs, failures, total, minimum, maximum," \
    " median FROM scriptday ORDER BY name, hostname, day"

# Runs of another application, which gives them no key.
KEYLESS = """
    INSERT INTO scriptactivity (name, hostname, date_started, date_completed)
    SELECT 'script-0', 'loganberry', started, started + interval '1 s'
    FROM generate_series('2007-02-01 00:01+00'::timestamptz,
        '2007-02-01 02:00+00', interval '15 minutes') AS started
"""

# A server commits what it has deleted when nobody has the lock.
LOCK = "SELECT pg_advisory_lock(16)"
WAIT_FOR_COMMIT = """
    CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(16);
        RETURN NULL;
    END
    $$;
    CREATE CONSTRAINT TRIGGER wait AFTER DELETE ON scriptactivity
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()
"""
WAITS = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"
BUSY = """
    SELECT count(*) > 0 FROM pg_stat_activity
    WHERE application_name = 'postgres_fdw'
"""
BACKEND = """
    SELECT pid FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND state = 'active'
        AND pid <> pg_backend_pid()
"""

SCRIPT = """
import sys
from canonical.database.sqlbase import main_store
from canonical.launchpad.scripts.base import LaunchpadCronScript

class Script(LaunchpadCronScript):
    def main(self):
        main_store().execute("CREATE TEMP TABLE work ()")

Script(sys.argv.pop()).lock_and_run()
"""

# It is killed between its work and its record.
KILLED = SCRIPT.replace("\n\nScript(", """
    def record_activity(self, date_started, date_completed):
        import os
        os.kill(os.getpid(), 9)

Script(""")

# It records a run again, and prints the year of what is on record.
AGAIN = """
import datetime
import sys
import uuid
from zope.component import getUtility
from canonical.database.sqlbase import initZopeless
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.launchpad.zcml import execute_zcml
execute_zcml()
initZopeless()
now = datetime.datetime.now(datetime.UTC)
print(getUtility(IScriptActivitySet).recordSuccess(
    sys.argv[1], now, now, run_key=uuid.UUID(sys.argv[2])).date_started)
"""

RULES = """
<configure xmlns:lp="http://namespaces.canonical.com/lp">
  <include package="canonical.launchpad" file="meta.zcml" />
  {}
</configure>
""".format("\n".join(
    f'<lp:script name="{name}" schedule="*/15 * * * *" average="{average}" />'
    for name, average in zip(NAMES, ["learned", "..1m"] * 6, strict=True)))

# What these commands look at.
PERIOD = "--at", "2007-02-03T23:00Z", "--since", "2d"

# A run on another machine, of which only its start is known.
RUNNING = """
    INSERT INTO scriptattempt (name, hostname, pid, date_started, process,
        run_key)
    SELECT name, 'loganberry', 1, '2007-02-06 00:00+00', 'elsewhere',
        md5(name || 'runs')::uuid
    FROM unnest(ARRAY{}) AS name
"""

# Many of these overlap.  No two have the same times.
LONG = """
    INSERT INTO scriptactivity (name, hostname, date_started, date_completed,
        run_key)
    SELECT name, host, started, started + took * interval '1 ms',
        md5(name || host || started)::uuid
    FROM unnest(ARRAY{}) AS name, LATERAL (
        SELECT started, abs(hashtext(name || started)) % 36000000 AS took,
            CASE WHEN hashtext(started || name) > 0 THEN 'a' ELSE 'b' END
                AS host
        FROM generate_series('2007-02-01 00:01+00'::timestamptz,
            '2007-02-03 00:00+00', interval '30 min') AS started
    ) AS run
"""

# It reads the runs before some moments, with and without gathering them.
GATHERED = """
import datetime
import sys
from contextlib import nullcontext
from zope.component import getUtility
from canonical.database.sqlbase import initZopeless
from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.zcml import execute_zcml
execute_zcml()
initZopeless()
history, hour = getUtility(IScriptHistorySet), datetime.timedelta(hours=1)
since = datetime.datetime(2007, 2, 2, tzinfo=datetime.UTC)
until = since + 12 * hour
def read():
    return [
        [history.getRunsBefore(
            name, host, since + hours * hour, since + (hours + 1) * hour, 5)
         for name in sys.argv[1:] for host in (None, "a", "b")
         for hours in range(10)],
        [history.getRuns(name, since, until) for name in sys.argv[1:]]]
with history.gathered(sys.argv[1:], since, until, since + hour, 5):
    gathered = read()
print(gathered == read() and len(gathered[0]))
"""


class ServersLayer(PostgresLayer):
    """The three, the one that asks them, and one that has everything."""

    @classmethod
    def setUp(cls):
        """See `PostgresLayer`, which is set up before."""
        cls.clusters = Path(tempfile.mkdtemp(prefix="scriptactivity-three-"))
        os.chown(cls.clusters, server_uid(), -1)
        first = cls.clusters / "5400"
        cls.run(PROGRAMS / "bin/initdb", "--auth=trust", "--no-sync", "-U",
                "postgres", "-D", first)
        cls.servers = []
        for port in range(5400, 5405):
            cluster = cls.clusters / str(port)
            if cluster != first:
                cls.run("cp", "-r", first, cluster)
            cls.servers.append({
                "host": str(cls.clusters), "port": str(port),
                "user": "postgres", "dbname": "postgres"})
        for server in cls.servers:
            cls.start(server)
            apply_schema(server)
        cls.alone, cls.asking, *cls.three = cls.servers
        cls.run(
            PROGRAMS / "bin/psql", "-1", "-q", "-v", "ON_ERROR_STOP=1",
            "-v", "dbname=postgres", *(
                option for number, server in enumerate(cls.three)
                for option in (
                    "-v", f"host_{number}={server['host']}",
                    "-v", f"port_{number}={server['port']}")),
            make_dsn(**cls.asking),
            stdin=(SETUP / "three-servers.sql").read_text())
        for number, server in enumerate(cls.three):
            cls.run(
                PROGRAMS / "bin/psql", "-1", "-q", "-v", "ON_ERROR_STOP=1",
                "-v", f"number={number}", make_dsn(**server),
                stdin=(SETUP / "one-of-three-servers.sql").read_text())
        cls.servers_of = {name: cls.server_of(name) for name in NAMES}

    @classmethod
    def start(cls, server):
        cls.run(
            PROGRAMS / "bin/pg_ctl", "-w", "-D",
            cls.clusters / server["port"], "-l",
            cls.clusters / f"log{server['port']}", "-o",
            f"-h '' -k {cls.clusters} -p {server['port']} -c fsync=off"
            " -c log_statement=all",
            "start")

    @classmethod
    def stop(cls, server):
        cls.run(PROGRAMS / "bin/pg_ctl", "-D",
                cls.clusters / server["port"], "-m", "immediate", "stop")

    @classmethod
    def run(cls, *command, stdin=None):
        process = subprocess.run(
            list(map(str, command)), user=server_uid(), cwd="/", text=True,
            input=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            check=False)
        if process.returncode:
            raise RuntimeError(process.stderr)

    @classmethod
    def tearDown(cls):
        for server in cls.servers:
            cls.stop(server)
        shutil.rmtree(cls.clusters)

    @classmethod
    def testSetUp(cls):
        """See `PostgresLayer`, which is called before."""
        for server in cls.alone, *cls.three:
            query(server, "TRUNCATE scriptactivity")
            query(server, SUCCESSES.format([
                name for name in NAMES
                if server in (cls.alone, cls.servers_of[name])]))
        for server in cls.alone, cls.asking:
            query(server, "TRUNCATE scriptattempt, scriptday")
            query(server, FAILURES.format(NAMES))

    @classmethod
    def server_of(cls, name):
        """The server that has the runs of a script."""
        for number, server in enumerate(cls.three):
            (is_there,), = query(
                cls.asking, "SELECT satisfies_hash_partition("
                f"'scriptactivity'::regclass, 3, {number}, '{name}'::text)")
            if is_there:
                return server
        raise ValueError(name)


def without_ids(text):
    return re.sub(r'"id": \d+', "", text)


@unittest.skipUnless(PROGRAMS, "needs Debian's package postgresql")
class TestThreeServers(unittest.TestCase):

    layer = ServersLayer
    level = 2

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.rules = Path(temporary.name) / "rules.zcml"
        self.rules.write_text(RULES)

    def command_at(self, server, *arguments):
        """The exit status, and what it has printed.

        :param arguments: of scriptactivity, or -c and a program.
        """
        if arguments[0] != "-c":
            arguments = "-c", PROGRAM.format(""), *arguments
        process = start_python(
            arguments, {**os.environ, "LP_DATABASE_URI": make_dsn(**server)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    def assert_same(self, *arguments):
        """A command gives the same answer; return it."""
        alone, three = (
            self.command_at(server, *arguments)
            for server in (self.layer.alone, self.layer.asking))
        self.assertEqual("", alone[2])
        self.assertEqual(
            [*map(without_ids, alone[1:]), alone[0]],
            [*map(without_ids, three[1:]), three[0]])
        return three[1]

    def test_each_server_has_some_scripts(self):
        found = [
            {name for name, in query(
                server, "SELECT DISTINCT name FROM scriptactivity")}
            for server in self.layer.three]
        self.assertTrue(all(found))
        self.assertEqual(sorted(NAMES), sorted(set().union(*found)))
        self.assertEqual(len(NAMES), sum(map(len, found)))

    def test_the_answers_are_the_same(self):
        rules = "--expectations", str(self.rules)
        listed = json.loads(self.assert_same("list", "--json"))
        self.assertEqual(len(NAMES), len(listed))
        self.assert_same("last", NAMES[0])
        self.assert_same("last", "--json")
        self.assert_same("failures", "--json")
        self.assert_same("running", "--json")
        self.assert_same("show", "--json", NAMES[0], *rules)
        self.assert_same("report", "--month", "2007-02", "--json", *rules)
        self.assertIn("script-7", self.assert_same("suggest", *PERIOD))
        opened = self.assert_same("backtest", "--json", *PERIOD, *rules)
        self.assertIn('"script-7"', opened)
        self.assertIn("script-7", self.assert_same("check", *rules))

    def test_what_is_gathered_is_what_is_read(self):
        for server in self.layer.three:
            query(server, LONG.format([
                name for name in NAMES
                if server == self.layer.servers_of[name]]))
        self.assertEqual((0, "90\n", ""), self.command_at(
            self.layer.asking, "-c", GATHERED, *NAMES[:3]))

    def test_pages(self):
        found = []
        for server in self.layer.alone, self.layer.asking:
            with pages(
                "--expectations", str(self.rules),
                LP_DATABASE_URI=make_dsn(**server),
            ) as url:
                found.append([
                    re.findall(r"script-\d+|critical|ok|warning", urllib
                               .request.urlopen(url + path).read().decode())
                    for path in ("/", "/scripts/script-7")])
        self.assertIn("script-7", found[0][0])
        self.assertEqual(*found)

    def test_a_script_is_recorded_on_the_server_of_its_name(self):
        for name in NAMES[:4]:
            self.assertEqual(
                (0, "", ""), self.command_at(
                    self.layer.asking, "-c", SCRIPT, name))
            for server in self.layer.three:
                (last,), = query(
                    server, "SELECT max(date_started) FROM scriptactivity"
                    f" WHERE name = '{name}'")
                if server == self.layer.servers_of[name]:
                    self.assertGreater(last.year, 2007)
                    self.assertIn(
                        f"{last:%Y-%m-%d}",
                        self.command_at(self.layer.asking, "last", name)[1])
                else:
                    self.assertIsNone(last)
        ids = query(self.layer.asking, "SELECT id FROM scriptactivity")
        self.assertEqual(len(ids), len(set(ids)))

    def test_a_run_is_recorded_once(self):
        """After a crash, the success comes from the proof, and only once."""
        name = NAMES[0]
        status, _, _ = self.command_at(
            self.layer.asking, "-c", KILLED, name)
        self.assertEqual(-9, status)
        count = "SELECT count(*) FROM scriptactivity" \
            f" WHERE name = '{name}' AND date_started > '2008-01-01'"
        self.assertEqual([(0,)], query(self.layer.asking, count))
        for sent in "1 recorded", "0 recorded":
            status, out, err = self.command_at(self.layer.asking, "flush")
            self.assertEqual((0, ""), (status, err))
            self.assertIn(sent, out)
            self.assertEqual([(1,)], query(self.layer.asking, count))
        (name, key), = query(
            self.layer.asking, "SELECT name, run_key FROM scriptactivity"
            f" WHERE name = '{name}' AND date_started > '2008-01-01'")
        status, out, err = self.command_at(
            self.layer.asking, "-c", AGAIN, name, key)
        self.assertEqual((0, "2"), (status, out[:1]), err)
        self.assertEqual([(1,)], query(self.layer.asking, count))

    def test_while_a_server_is_down_a_success_waits_for_it(self):
        name = NAMES[0]
        server = self.layer.servers_of[name]
        self.layer.stop(server)
        try:
            status, _, err = self.command_at(
                self.layer.asking, "-c", SCRIPT, name)
        finally:
            self.layer.start(server)
        self.assertEqual(0, status, err)
        self.assertIn("The success is not recorded yet", err)
        status, out, err = self.command_at(self.layer.asking, "flush")
        self.assertEqual((0, ""), (status, err))
        self.assertIn("1 recorded", out)
        (last,), = query(
            server, "SELECT max(date_started) FROM scriptactivity"
            f" WHERE name = '{name}'")
        self.assertGreater(last.year, 2007)

    def test_import_and_export(self):
        """A run that is there is not imported again."""
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "runs.csv")
            self.assertEqual(
                0, self.command_at(self.layer.asking, "export", path)[0])
            query(self.layer.asking, "DELETE FROM scriptactivity"
                  f" WHERE name = '{NAMES[0]}'")
            status, _, err = self.command_at(
                self.layer.asking, "import", path)
            self.assertEqual(0, status, err)
        self.assertEqual(*(
            query(server, COUNT) for server in (
                self.layer.alone, self.layer.asking)))

    def test_prune(self):
        rules = "--expectations", str(self.rules)
        for server in self.layer.alone, self.layer.asking:
            status, _, err = self.command_at(
                server, "prune", "-q", "--keep", "3d")
            self.assertEqual((0, ""), (status, err))
        count = COUNT
        left = query(self.layer.alone, count)
        self.assertLess(left[0][1], 481)
        self.assertEqual(left, query(self.layer.asking, count))
        self.assert_same("report", "--month", "2007-02", "--json", *rules)

    def test_prune_may_be_killed_between_its_commits(self):
        """Nothing is lost, and nothing is counted twice."""
        query(self.layer.asking, KEYLESS)
        query(self.layer.alone, KEYLESS)
        arguments = "prune", "-q", "--keep", "3d"
        self.assertEqual((0, "", ""), self.command_at(
            self.layer.alone, *arguments))
        for server in self.layer.three:
            query(server, WAIT_FOR_COMMIT)
            self.addCleanup(query, server, "DROP FUNCTION wait() CASCADE")
        # Before the first server commits, and once it has committed.
        for lock in "LOCK TABLE scriptactivity IN SHARE MODE", LOCK:
            self.assertNotEqual(0, self.killed(lock, *arguments))
        self.assertEqual((0, "", ""), self.command_at(
            self.layer.asking, *arguments))
        for statement in COUNT, DAYS:
            self.assertEqual(*(query(server, statement) for server in (
                self.layer.alone, self.layer.asking)))

    def killed(self, lock, *arguments):
        """Kill the backend of a command once it waits for a lock.

        :return: its exit status.
        """
        with contextlib.ExitStack() as stack:
            for server in self.layer.three:
                holder = stack.enter_context(
                    contextlib.closing(psycopg2.connect(**server)))
                holder.cursor().execute(lock)
            process = start_python(
                ["-c", PROGRAM.format(""), *arguments], {
                    **os.environ,
                    "LP_DATABASE_URI": make_dsn(**self.layer.asking)},
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            while not any(
                query(server, WAITS)[0][0] for server in self.layer.three
            ):
                self.assertIsNone(process.poll())
                time.sleep(0.01)
            (backend,), = query(self.layer.asking, BACKEND)
            os.kill(backend, signal.SIGKILL)
            process.communicate(timeout=120)
        for server in self.layer.three:
            while query(server, BUSY)[0][0]:
                time.sleep(0.01)
        self.until_it_has_recovered(self.layer.asking)
        return process.returncode

    def until_it_has_recovered(self, server):
        while True:
            try:
                query(server, "SELECT 1")
                return
            except psycopg2.OperationalError:
                time.sleep(0.01)

    def asked_by(self, *arguments):
        """How many queries a command sends to each of the three."""
        before = self.queries()
        self.command_at(self.layer.asking, *arguments)
        return [now - then for now, then in zip(
            self.queries(), before, strict=True)]

    def queries(self):
        return [
            (self.layer.clusters / f"log{server['port']}").read_text().count(
                "DECLARE c") for server in self.layer.three]

    def test_what_concerns_one_script_asks_one_server(self):
        """Although others run."""
        query(self.layer.asking, RUNNING.format(NAMES))
        name = NAMES[0]
        number = self.layer.three.index(self.layer.server_of(name))
        for arguments in (
            ("last", name), ("show", name), ("failures", name),
            ("output", name), ("suggest", name, *PERIOD),
        ):
            with self.subTest(arguments[0]):
                asked = self.asked_by(*arguments)
                self.assertGreater(asked.pop(number), 0)
                self.assertEqual([0, 0], asked)

    def test_what_concerns_all_asks_each_server_a_few_times(self):
        """As often as for one script.  The servers have 3 to 5 of them."""
        rules = "--expectations", str(self.rules)
        for times, *arguments in (
            (2, "list"), (3, "last"), (2, "check", *rules),
            (3, "backtest", *PERIOD, *rules), (3, "suggest", *PERIOD),
            (4, "report", "--month", "2007-02", *rules),
            (2, "export", "-"),
        ):
            with self.subTest(arguments[0]):
                self.assertEqual([times] * 3, self.asked_by(*arguments))

    def test_pages_ask_as_often(self):
        """The page of a script asks its server; the state of all, each once.

        What is asked for the state of all, now and then, is the same for all.
        """
        name = NAMES[0]
        number = self.layer.three.index(self.layer.server_of(name))
        with pages(
            "--expectations", str(self.rules),
            LP_DATABASE_URI=make_dsn(**self.layer.asking),
        ) as url:
            for path in (
                "/", "/incidents", "/metrics", "/api/scripts",
                "/api/incidents", f"/api/scripts/{name}",
                f"/api/scripts/{name}/runs", f"/scripts/{name}",
            ):
                with self.subTest(path):
                    before = self.queries()
                    urllib.request.urlopen(url + path).read()
                    asked = [now - then for now, then in zip(
                        self.queries(), before, strict=True)]
                    own = asked.pop(number)
                    self.assertEqual(*asked)
                    if path.startswith("/scripts/") or "runs" in path:
                        self.assertGreater(own, asked[0])
                    else:
                        self.assertEqual(own, asked[0])
                        self.assertLess(own, 6)

    def asked(self, statement):
        """The servers that are asked, as EXPLAIN shows them."""
        (plan,), = query(
            self.layer.asking, "SET enable_partitionwise_aggregate = on;"
            f" EXPLAIN (VERBOSE, FORMAT JSON) {statement}")
        return re.findall(
            r"Remote SQL.*?FROM public\.(\w+)", json.dumps(plan))

    def test_explain(self):
        self.assertEqual(["scriptactivity"], self.asked(
            "SELECT * FROM scriptactivity WHERE name = 'script-7'"
            " ORDER BY date_started DESC LIMIT 1"))
        self.assertEqual(["scriptactivity"] * 3, self.asked(
            "SELECT name, max(date_started) FROM scriptactivity"
            " GROUP BY name"))

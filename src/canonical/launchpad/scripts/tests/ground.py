"""A private PostgreSQL, and scripts that attacks run against it."""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

import psutil
import psycopg2
from psycopg2.extensions import make_dsn

from canonical.database.embedded import embedded_parameters
from canonical.database.postgres import apply_schema
from canonical.launchpad.scripts.lock import LockFile
from canonical.launchpad.scripts.lock import LockTaken
from canonical.launchpad.scripts.tests import faults
from canonical.testing.children import python_path
from canonical.testing.children import start_python


DRIVE = "from canonical.launchpad.scripts.tests import faultdriver;" \
    " faultdriver.main()"

# Seconds after which a run that has not ended hangs.  Nothing that ends takes
# so long, on a machine that is busy either.
BOUND = 60

CONFIGURATIONS = {
    "quick": "record_timeout: 0.6s",
    "hasty": "record_timeout: 0.6s\ncommit_timeout: 1s",
    "patient": "record_timeout: 10s",
}

# So that a fault can be injected meanwhile.
COMMIT_TAKES_TIME = """
    CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_sleep(0.01 * random()); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER takes_time AFTER INSERT ON work
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION take_time();
"""


class Hung(Exception):
    """A run does not end."""


class Ground:
    """A cluster, and a driver that runs scripts in it.

    :ivar cluster: the directory of the server.
    :ivar state: of the scripts.
    :ivar statuses: of all the runs, as in `subprocess`.
    """

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="scriptactivity-fault-"))
        # The user who runs the server must reach it too.
        self.directory.chmod(0o755)
        self.cluster = self.directory / "postgresql"
        self.state = self.directory / "state"
        self.statuses = []
        self.start_server()
        apply_schema(self.parameters)
        self.query("CREATE TABLE work (name text)")
        self.query(COMMIT_TAKES_TIME)
        # A role that may write to "work", but not record successes.
        self.query("CREATE ROLE worker LOGIN")
        self.query("GRANT ALL ON work, scriptattempt TO worker")
        for name, text in CONFIGURATIONS.items():
            self.configuration(name).write_text(f"[scripts]\n{text}\n")
        self.environment = dict(
            os.environ,
            LPCONFIG=str(self.configuration("quick")),
            LP_DATABASE_URI=make_dsn(**self.parameters),
            LP_STATE_DIRECTORY=str(self.state),
            PYTHONPATH=python_path(),
        )
        self.driver = self.start_driver()

    def configuration(self, name):
        return self.directory / f"{name}.conf"

    def close(self):
        self.driver.communicate()
        faults.crash_server(self.cluster)
        shutil.rmtree(self.directory)

    # Runs.

    def start_driver(self):
        return start_python(
            ["-c", DRIVE], self.environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def order(self, name, action="none", moment=0, dbuser=None, alarm=0,
              isolation="read_committed", main="work", options=("-qqq",),
              **environment):
        """The request for the driver."""
        environment = {
            "FAULT_CLUSTER": str(self.cluster),
            "LP_DATABASE_URI": make_dsn(**self.parameters),
            **environment,
        }
        return json.dumps({
            "name": name,
            "action": action,
            "moment": moment,
            "dbuser": dbuser,
            "alarm": alarm,
            "isolation": isolation,
            "main": main,
            "options": options,
            "environment": environment,
        }) + "\n"

    def send(self, *args, **settings):
        """Start a run; `receive` waits for its end."""
        self.driver.stdin.write(self.order(*args, **settings))
        self.driver.stdin.flush()

    def receive(self):
        """Wait for the result of a run.

        :raises Hung: if it does not end; then it is killed.
        """
        hangs = not select.select([self.driver.stdout], [], [], BOUND)[0]
        if hangs:
            for child in psutil.Process(self.driver.pid).children():
                child.kill()
        answer = json.loads(self.driver.stdout.readline())
        self.statuses.append(answer["status"])
        if hangs:
            raise Hung
        return answer

    def run(self, *args, **settings):
        self.send(*args, **settings)
        return self.receive()

    def wait_for(self, flag):
        """Wait until the script of `send` has made a file.

        :raises Hung: if it does not.
        """
        deadline = time.monotonic() + BOUND
        while not flag.exists():
            if time.monotonic() > deadline:
                raise Hung
            time.sleep(0.01)

    def run_many(self, drivers, names):
        """Run scripts, several at a time, and return their exit statuses."""
        started = [self.start_driver() for _ in range(drivers)]
        for number, driver in enumerate(started):
            driver.stdin.write("".join(
                self.order(name) for name in names[number::drivers]))
            driver.stdin.close()
        answers = [
            json.loads(line) for driver in started for line in driver.stdout]
        for driver in started:
            driver.stdout.close()
            driver.wait()
        statuses = [answer["status"] for answer in answers]
        self.statuses.extend(statuses)
        return statuses

    def flush(self):
        """Run `scriptactivity flush`; return its exit status and output."""
        self.send("", action="flush")
        answer = self.receive()
        return self.statuses.pop(), answer["output"]

    def spooled(self):
        return list((self.state / "spool").glob("*.json"))

    # The server.

    def start_server(self):
        """Start the server, if needed, and wait until it accepts connections.

        After the crash of a session it recovers without being started.
        """
        self.parameters = embedded_parameters(self.cluster)
        deadline = time.monotonic() + BOUND
        while True:
            try:
                self.query("SELECT 1")
                return
            except psycopg2.OperationalError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.02)

    def query(self, statement, **parameters):
        """The result of a statement, over a new connection."""
        connection = psycopg2.connect(**{**self.parameters, **parameters})
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    def other_uri(self, host):
        """The URI of the second store of a script with two stores."""
        if not self.query(
            "SELECT 1 FROM pg_database WHERE datname = 'other'"
        ):
            self.query("CREATE DATABASE other")
            self.query("CREATE TABLE work (name text)", dbname="other")
        return f"postgres:other?host={host}&user=postgres"

    def thaw(self):
        """Let a frozen server go on."""
        with contextlib.suppress(OSError):
            for process in faults.server_processes(self.cluster):
                os.kill(process, signal.SIGCONT)

    def wait_for_sessions(self):
        """Wait until the statements of killed scripts have ended."""
        deadline = time.monotonic() + BOUND
        while time.monotonic() < deadline:
            (count,), = self.query("""
                SELECT count(*) FROM pg_stat_activity
                WHERE pid <> pg_backend_pid()
                    AND backend_type = 'client backend'""")
            if count == 0:
                return
            time.sleep(0.01)
        raise Hung

    # The promises.

    def settle(self):
        """Start everything again, and flush."""
        self.thaw()
        self.start_server()
        self.wait_for_sessions()
        return self.flush()

    def names(self, table, prefix=""):
        return [name for name, in self.query(
            f"SELECT name FROM {table} WHERE name LIKE '{prefix}%'")]

    def stale_locks(self):
        stale = 0
        for path in (self.state / "locks").iterdir():
            try:
                LockFile(path).release()
            except LockTaken:
                stale += 1
        return stale


def unique(prefix):
    """A name for a script that runs once."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"

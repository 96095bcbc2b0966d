"""Attacks on the surroundings of a script; see `attacks`."""

import random
import subprocess
import sys
import tempfile
from pathlib import Path

from psycopg2.extensions import make_dsn

from canonical.launchpad.scripts.tests.faultdriver import MAINS
from canonical.launchpad.scripts.tests.ground import BOUND
from canonical.launchpad.scripts.tests.ground import Hung
from canonical.launchpad.scripts.tests.proxy import CommitCutter
from canonical.launchpad.scripts.tests.torture.attacks import WORK
from canonical.launchpad.scripts.tests.torture.attacks import through
from canonical.launchpad.scripts.tests.torture.attacks import within


__all__ = [
    "SURROUNDINGS",
]


CHILDREN = [how for how in MAINS if how.startswith("child")]

DEAF_AND_DUMB = """
import os
from canonical.launchpad.scripts.tests.faultdriver import Work

class Talker(Work):
    def write(self, store=None):
        super().write(store)
        for descriptor in 0, 1, 2:
            try:
                os.write(descriptor, b"a word" * 100)
            except OSError:
                pass

Talker({name!r}, test_args=["-v"]).lock_and_run()
"""


def one_of_two_stores_is_cut(ground, name, share):
    """Without two-phase commit, one store may commit without a success."""
    when = random.choice(["before", "after"])
    where = within([(WORK, 0), (0, 1), (0, 0)], share)
    with (
        CommitCutter(ground.cluster, where[0], when) as main,
        CommitCutter(ground.cluster, where[1], when) as other,
    ):
        answer = ground.run(
            name, main="two stores",
            FAULT_OTHER_URI=ground.other_uri(other.directory),
            **through(ground, main))
    # If one commit is lost, or its result is unknown, the run has failed.
    # Then the rows that the other store has committed need no success.
    there = ground.query(
        f"SELECT 1 FROM work WHERE name = '{name}'", dbname="other")
    if answer["status"] != 0 or not there:
        ground.query(f"DELETE FROM work WHERE name = '{name}'")


def child_leaves(ground, name, share):
    ground.run(name, main=within(CHILDREN, share))


def full_disk(ground, name, share):
    """Nothing can be spooled, and the lock file stays empty."""
    with tempfile.TemporaryDirectory() as directory:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "none", directory],
            capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            return f"skipped: {mounted.stderr.strip()}"
        try:
            for each in "locks", "spool":
                if share < 0.5:
                    Path(directory, each).mkdir()
            with Path(directory, "filler").open("wb", 0) as filler:
                try:
                    while filler.write(b"x" * 4096):
                        pass
                except OSError:
                    pass
            ground.run(
                name, dbuser=random.choice(["worker", "postgres"]),
                LP_STATE_DIRECTORY=directory)
        finally:
            subprocess.run(["umount", directory], check=True)
    return None


def closed_descriptors(ground, name, share):
    closed = within(["<&-", ">&-", "2>&-", "<&- >&- 2>&-"], share)
    process = subprocess.Popen(
        ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable,
         DEAF_AND_DUMB.format(name=name)],
        env=dict(ground.environment,
                 LP_DATABASE_URI=make_dsn(**ground.parameters)),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    try:
        process.wait(BOUND)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise Hung from None


def many_at_a_time(ground, name, share):
    ground.run_many(20, [f"{name}-{number}" for number in range(200)])


def four_flushes_at_once(ground, name, share):
    for number in range(10):
        ground.run(f"{name}-{number}", dbuser="worker")
        ground.run(f"{name}-killed-{number}", "kill", "before record_activity")
    drivers = [ground.start_driver() for _ in range(4)]
    for driver in drivers:
        driver.stdin.write(ground.order("", action="flush"))
        driver.stdin.close()
    for driver in drivers:
        driver.stdout.read()
        driver.stdout.close()
        driver.wait()


# See `attacks.ATTACKS`.
SURROUNDINGS = [
    ("200 scripts, 20 at a time", many_at_a_time, 0.1),
    ("one of two stores is cut in its COMMIT", one_of_two_stores_is_cut, 2),
    ("a child of main leaves in its own way", child_leaves, 1),
    ("disk of the state directory is full", full_disk, 1),
    ("descriptors 0, 1, 2 closed", closed_descriptors, 0.5),
    ("four flushes at once", four_flushes_at_once, 0.2),
]

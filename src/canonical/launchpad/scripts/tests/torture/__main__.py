"""Attacks real scripts, and counts broken promises.

Each trial runs one or more scripts, and injects a fault meanwhile.  Then the
servers are started again, and ``scriptactivity flush`` records the successes
that have a proof.  At the end, the trial compares the rows of the scripts in
the table ``work`` with ``scriptactivity``.

The exit status is 1 if there is a record without its work, work without its
record, a second record, or a run that does not end.
"""

import argparse
import multiprocessing
import sys
import traceback
from dataclasses import dataclass

from canonical.database.errors import first_line
from canonical.launchpad.scripts.tests.ground import Ground
from canonical.launchpad.scripts.tests.ground import Hung
from canonical.launchpad.scripts.tests.ground import unique
from canonical.launchpad.scripts.tests.torture.attacks import ATTACKS
from canonical.launchpad.scripts.tests.torture.commands import COMMANDS
from canonical.launchpad.scripts.tests.torture.failover import FAILOVERS
from canonical.launchpad.scripts.tests.torture.surroundings import SURROUNDINGS


# How many attacks run at a time.  They wait most of the time.
WORKERS = 3

COLUMNS = ("trials", "worked", "false", "lost", "doubled", "hung")


@dataclass
class Tally:
    """The results of the trials of an attack."""

    title: str
    trials: int = 0
    worked: int = 0
    false: int = 0
    lost: int = 0
    doubled: int = 0
    hung: int = 0
    note: str = ""
    is_finished: bool = True

    @property
    def is_good(self):
        return self.is_finished and not (
            self.false or self.lost or self.doubled or self.hung)

    def line(self):
        counts = "".join(
            f"{getattr(self, column):>9}" for column in COLUMNS)
        return f"{self.title:<62}{counts}  {self.note}".rstrip()

    def attack(self, ground, function, total):
        """Run all trials of an attack."""
        for number in range(total):
            self.try_once(ground, function, number / total)
            if self.note:
                break

    def try_once(self, ground, function, share):
        name = unique("trial")
        try:
            self.note = function(ground, name, share) or ""
        except Hung:
            self.hung += 1
        try:
            _, output = ground.settle()
            if " recorded, " not in output:
                raise RuntimeError(f"flush: {output}")
        except Hung:
            self.hung += 1
        for left in ground.spooled():
            # For flush, this success belongs to another database: its host
            # is a proxy or a primary that is gone.
            left.unlink()
        self.trials += not self.note
        worked = set(ground.names("work", name))
        recorded = ground.names("scriptactivity", name)
        self.worked += len(worked)
        self.false += len(set(recorded) - worked)
        self.lost += len(worked - set(recorded))
        self.doubled += len(recorded) - len(set(recorded))


def work_through(chosen, begun, factor, done):
    """Run the attacks that no other process has begun.

    :param begun: the number of attacks that have begun; shared.
    :param done: takes a `Tally` for each.
    """
    ground = Ground()
    while True:
        with begun.get_lock():
            number = begun.value
            begun.value += 1
        if number >= len(chosen):
            break
        title, function, weight = chosen[number]
        tally = Tally(title)
        try:
            tally.attack(ground, function, max(1, round(factor * weight)))
        except Exception as error:
            tally.note = f"not finished: {first_line(error)}"
            tally.is_finished = False
            traceback.print_exc(limit=-3)
            ground.close()
            ground = Ground()
        done.put(tally)
    ground.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "trials", type=int, nargs="?", default=20,
        help="about how many of each attack; default: %(default)s")
    parser.add_argument(
        "only", nargs="?", default="",
        help="only attacks with this in their title")
    args = parser.parse_args()
    chosen = [
        attack for attack in [*FAILOVERS, *SURROUNDINGS, *ATTACKS, *COMMANDS]
        if args.only in attack[0]]
    fork = multiprocessing.get_context("fork")
    begun, done = fork.Value("i", 0), fork.SimpleQueue()
    print(f"{'attack':<62}{''.join(f'{each:>9}' for each in COLUMNS)}",
          flush=True)
    for _ in range(WORKERS):
        fork.Process(
            target=work_through, args=[chosen, begun, args.trials, done],
        ).start()
    is_good = True
    for _ in chosen:
        tally = done.get()
        is_good = tally.is_good and is_good
        print(tally.line(), flush=True)
    print("All promises are kept." if is_good else "A promise is broken.")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())

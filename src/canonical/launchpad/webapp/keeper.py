"""Refreshes the snapshot that all who look at the pages share."""

from __future__ import annotations

import datetime
import logging
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

from zope.component import hooks

from canonical.database.replica import replayed_until
from canonical.launchpad.command.openalerts import incident_counts
from canonical.launchpad.command.printing import in_a_line
from canonical.launchpad.interfaces import ExpectationError
from canonical.launchpad.monitor.registry import registered_apart
from canonical.launchpad.monitor.rulesfile import load_expectations
from canonical.launchpad.webapp.keptstrips import KeptStrips
from canonical.launchpad.webapp.parameters import DAY
from canonical.launchpad.webapp.proposals import Proposal
from canonical.launchpad.webapp.proposals import proposal_for
from canonical.launchpad.webapp.reading import GONE
from canonical.launchpad.webapp.reading import forget_store
from canonical.launchpad.webapp.reading import reading
from canonical.launchpad.webapp.reading import refuse_after_hang
from canonical.launchpad.webapp.snapshot import Snapshot
from canonical.launchpad.webapp.snapshot import snapshot_at


__all__ = [
    "Keeper",
]


# How old a snapshot may be, in refreshes, before somebody waits for the next.
STALE = 3

# How long anybody waits for a snapshot after its computation has begun, in
# seconds.
PATIENCE = 30.0

# How long its computation may take, in seconds.
LONGEST = 60.0


class Keeper:
    """Keeps one snapshot, which one thread computes.

    The thread works only while somebody looks: it computes a snapshot when
    the last one is older than `refresh` and somebody asks for it.

    :ivar boot: differs for each process.
    :ivar refresh: in seconds.
    :ivar strips: of the scripts that somebody has looked at.
    """

    def __init__(
        self,
        rules: Path | None,
        skew: datetime.timedelta,
        refresh: float,
        now: Callable[[], datetime.datetime] | None = None,
    ) -> None:
        self.boot = secrets.token_hex(4)
        self._rules = rules
        self._skew = skew
        self.refresh = refresh
        self.strips = KeptStrips()
        self._now = now or (lambda: datetime.datetime.now(datetime.UTC))
        self._changed = threading.Condition()
        self._wanted = self._closed = False
        self._snapshot: Snapshot | None = None
        self._computed = 0.0
        self._begun = 0.0
        self._started = 0
        self._ended = 0
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None
        self._version: object = None
        self._mistake: ExpectationError | None = None
        self._site: object = None
        self._proposals: dict[str, tuple[datetime.datetime, Proposal]] = {}

    def current(self) -> Snapshot:
        """The snapshot, which is at most a few refreshes old.

        :raises Exception: whatever its computation has raised.
        """
        with self._changed:
            age = time.monotonic() - self._computed
            if self._snapshot is None or age >= self.refresh:
                self._want()
            if self._snapshot is None or age >= STALE * self.refresh:
                self._wait()
            assert self._snapshot is not None
            return self._snapshot

    def prepare(self) -> None:
        """Begin to compute a snapshot, before somebody asks for it."""
        with self._changed:
            self._want()

    def close(self) -> None:
        """End the thread, and wait for that."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _want(self) -> None:
        # What runs now is new enough for whoever asks meanwhile.
        self._wanted = self._started == self._ended
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._work, name="snapshot", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _wait(self) -> None:
        """Wait for a computation that starts from now on, or runs now."""
        refuse_after_hang()
        number = self._ended + 1
        waited = (time.monotonic() - self._begun
                  if self._started == number else 0.0)
        if not self._changed.wait_for(
            lambda: self._ended >= number, PATIENCE - waited
        ):
            raise TimeoutError("the scripts could not be assessed in time")
        if self._error is not None:
            raise self._error

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted or self._closed)
                if self._closed:
                    break
                self._wanted = False
                self._started += 1
                self._begun = time.monotonic()
                number = self._started
            error = snapshot = None
            try:
                snapshot = self._compute(number)
            except Exception as caught:
                logging.getLogger(__name__).warning(
                    "The scripts could not be assessed: %s",
                    in_a_line(caught))
                error = caught
            with self._changed:
                # After an error nobody gets an old snapshot for a new one.
                self._snapshot, self._error = snapshot, error
                self._computed = time.monotonic()
                self._ended = number
                self._changed.notify_all()
            if snapshot is not None:
                self._propose(snapshot)
        forget_store()

    def proposal(self, name: str, at: datetime.datetime) -> Proposal:
        """What suggest proposes for a script without a rule.

        It is inferred once a day.  The caller is in a transaction.
        """
        made, known = self._proposals.get(name, (at - 2 * DAY, None))
        if known is None or at - made > DAY:
            known = proposal_for(name, at)
            self._proposals[name] = at, known
        return known

    def proposed(self, name: str) -> str:
        """The same in words, if it is known already."""
        _, known = self._proposals.get(name, (None, None))
        return known.words if known else ""

    def _propose(self, snapshot: Snapshot) -> None:
        """Infer rules for some scripts, for as long as nobody waits."""
        begun = time.monotonic()
        try:
            for row in snapshot.rows:
                late = time.monotonic() - begun > self.refresh / 5
                if self._wanted or self._closed or late:
                    return
                if row.assessment is None and not self.proposed(row.name):
                    with reading():
                        self.proposal(row.name, snapshot.at)
        except GONE as error:
            logging.getLogger(__name__).warning("No proposal: %s", error)

    def _compute(self, number: int) -> Snapshot:
        trouble = None
        try:
            self.read_rules()
        except ExpectationError as error:
            trouble = str(error)
        if self._site is not None:
            # Of this thread alone.
            hooks.setSite(self._site)
        at = self._now()
        with reading(LONGEST):
            if (replica := replayed_until(at)) is not None:
                at = min(at, replica[0])
            rows = snapshot_at(at, self._skew)
            incidents = incident_counts(at)
        return Snapshot(number, at, rows, incidents, trouble)

    def read_rules(self) -> None:
        """Read the rules, if their file has changed.

        :raises ExpectationError: if it is wrong.  The rules stay as they were.
        """
        if self._rules is None:
            return
        try:
            status = self._rules.stat()
        except OSError as error:
            raise ExpectationError(
                f"{self._rules}: {error.strerror}") from None
        version = status.st_mtime_ns, status.st_size, status.st_ino
        if version != self._version:
            self._version, self._mistake = version, None
            try:
                with registered_apart():
                    load_expectations(self._rules)
                    self._site = hooks.getSite()
            except ExpectationError as error:
                self._mistake = error
        if self._mistake is not None:
            raise self._mistake

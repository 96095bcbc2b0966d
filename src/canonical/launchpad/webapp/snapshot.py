"""The state of all scripts at a time, computed once for all who look."""

from __future__ import annotations

import datetime
import functools
import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from zope.component import getUtility
from zope.component import hooks

from canonical.database.replica import replayed_until
from canonical.launchpad.interfaces import HORIZON
from canonical.launchpad.interfaces import Inquiry
from canonical.launchpad.interfaces import IScriptFiguresSet
from canonical.launchpad.interfaces import IScriptTimelineSet
from canonical.launchpad.monitor.registry import assess_all
from canonical.launchpad.monitor.registry import registered_apart
from canonical.launchpad.monitor.registry import registered_cases
from canonical.launchpad.monitor.registry import registered_expectations
from canonical.launchpad.monitor.rulesfile import ExpectationError
from canonical.launchpad.monitor.rulesfile import load_expectations
from canonical.launchpad.webapp.parameters import DAY
from canonical.launchpad.webapp.proposals import Proposal
from canonical.launchpad.webapp.proposals import proposal_for
from canonical.launchpad.webapp.reading import GONE
from canonical.launchpad.webapp.reading import forget_store
from canonical.launchpad.webapp.reading import reading
from canonical.launchpad.webapp.rows import Row
from canonical.launchpad.webapp.rows import counted


__all__ = [
    "Keeper",
    "Snapshot",
    "snapshot_at",
]


# How old a snapshot may be, in refreshes, before somebody waits for the next.
STALE = 3

# How long somebody waits for a snapshot, in seconds.
PATIENCE = 30.0

# How many of the last successes of a script without a rule are looked at.
RUNS = 20


@dataclass(frozen=True)
class Snapshot:
    """The state of all scripts at a time.

    :ivar number: differs for each snapshot of the process.
    :ivar at: an aware datetime.
    :ivar rows: the worst first.
    :ivar trouble: why the rules file could not be read again, or `None`.
    :ivar pages: what was made of the snapshot; emptied with it.
    """

    number: int
    at: datetime.datetime
    rows: tuple[Row, ...]
    trouble: str | None = None
    pages: dict[Any, Any] = field(default_factory=dict)

    @property
    def worst(self) -> str:
        """The worst state of a script with a rule; ``ok`` if there is none."""
        return next((each.state for each in self.rows if each.rule), "ok")

    @functools.cached_property
    def counts(self) -> dict[str, int]:
        """The number of scripts in each state."""
        return counted(self.rows)

    @functools.cached_property
    def hosts(self) -> list[str]:
        """The hosts that rules name."""
        return sorted({each.hostname for each in self.rows if each.hostname})

    @functools.cached_property
    def tags(self) -> list[str]:
        """The tags of rules."""
        return sorted({tag for each in self.rows for tag in each.tags})

    @functools.cached_property
    def timezones(self) -> list[str]:
        """The time zones of rules."""
        return sorted({
            each.rule.timezone for each in self.rows if each.rule})

    @functools.cached_property
    def by_name(self) -> dict[str, list[Row]]:
        """The rows of each script: one for each of its hosts."""
        found: dict[str, list[Row]] = {}
        for each in self.rows:
            found.setdefault(each.name, []).append(each)
        return found


def snapshot_at(
    at: datetime.datetime, skew: datetime.timedelta
) -> tuple[Row, ...]:
    """A row for each script that has a rule or is on record."""
    expectations = registered_expectations()
    cases = {
        (case.expectation.name, case.hostname): case
        for case in registered_cases(
            expectations, at - HORIZON, at + HORIZON, skew)}
    rows = [
        Row(each.name, each.hostname, each.state, each.figures, each,
            cases[each.name, each.hostname])
        for each in assess_all(expectations, at, skew)]
    known = {each.name for each in expectations}
    unknown = [
        name for name in getUtility(IScriptTimelineSet).getNames()
        if name not in known]
    figures = getUtility(IScriptFiguresSet).getFigures([
        Inquiry(name, None, (at,), at, RUNS) for name in unknown], at)
    rows += [
        Row(name, None, "unknown", each)
        for name, each in zip(unknown, figures, strict=True)]
    return tuple(rows)


class Keeper:
    """Keeps one snapshot, which one thread computes.

    The thread works only while somebody looks: it computes a snapshot when
    the last one is older than `refresh` and somebody asks for it.

    :ivar boot: differs for each process.
    :ivar refresh: in seconds.
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
        self._now = now or (lambda: datetime.datetime.now(datetime.UTC))
        self._changed = threading.Condition()
        self._wanted = self._closed = False
        self._snapshot: Snapshot | None = None
        self._computed = 0.0
        self._started = 0
        self._ended = 0
        self._error: Exception | None = None
        self._thread: threading.Thread | None = None
        self._loaded: object = None
        self._trouble: str | None = None
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

    def close(self) -> None:
        """End the thread, and wait for that."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _want(self) -> None:
        self._wanted = True
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._work, name="snapshot", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _wait(self) -> None:
        """Wait for a computation that starts from now on, or runs now."""
        number = max(self._started, self._ended + 1)
        if not self._changed.wait_for(
            lambda: self._ended >= number, PATIENCE
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
                number = self._started
            error = snapshot = None
            try:
                snapshot = self._compute(number)
            except Exception as caught:
                logging.getLogger(__name__).warning(
                    "The scripts could not be assessed: %s: %s",
                    type(caught).__name__, str(caught).strip())
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
                if row.rule is None and not self.proposed(row.name):
                    with reading():
                        self.proposal(row.name, snapshot.at)
        except GONE as error:
            logging.getLogger(__name__).warning("No proposal: %s", error)

    def _compute(self, number: int) -> Snapshot:
        self._load()
        at = self._now()
        with reading():
            replica = replayed_until(at)
            if replica is not None:
                at = min(at, replica[0])
            rows = snapshot_at(at, self._skew)
        return Snapshot(number, at, rows, self._trouble)

    def _load(self) -> None:
        """Read the rules again if their file has changed.

        A file that is wrong leaves the rules as they were.
        """
        if self._rules is None:
            return
        try:
            status = self._rules.stat()
            version = status.st_mtime_ns, status.st_size, status.st_ino
        except OSError as error:
            self._trouble = f"{self._rules}: {error.strerror}"
            return
        if version == self._loaded:
            return
        self._loaded = version
        try:
            with registered_apart():
                load_expectations(self._rules)
                site = hooks.getSite()
        except ExpectationError as error:
            self._trouble = str(error)
        else:
            # Of this thread alone.
            hooks.setSite(site)
            self._trouble = None

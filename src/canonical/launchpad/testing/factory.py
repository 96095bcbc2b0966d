"""Objects for tests, with whatever the test does not care about made up."""

from __future__ import annotations

import datetime
import itertools

from zope.component import getUtility

from canonical.launchpad.interfaces import IScriptActivity
from canonical.launchpad.interfaces import IScriptActivitySet


__all__ = [
    "LaunchpadObjectFactory",
]


class LaunchpadObjectFactory:
    """Makes objects, and values that no other call in the process returns."""

    _integers = itertools.count(1)

    def getUniqueInteger(self) -> int:
        """A positive integer, greater than those before."""
        return next(self._integers)

    def getUniqueString(self, prefix: str = "unique") -> str:
        """A string of lower-case letters and digits after `prefix`."""
        return f"{prefix}-{self.getUniqueInteger()}"

    def makeScriptActivity(
        self,
        name: str | None = None,
        hostname: str | None = None,
        date_started: datetime.datetime | None = None,
        duration: datetime.timedelta = datetime.timedelta(minutes=1),
    ) -> IScriptActivity:
        """A successful run, recorded in the current transaction.

        :param date_started: by default now, less the `duration`.
        """
        if date_started is None:
            now = datetime.datetime.now(datetime.UTC)
            date_started = now - duration
        activity: IScriptActivity = getUtility(
            IScriptActivitySet).recordSuccess(
                name=name or self.getUniqueString("script"),
                hostname=hostname or self.getUniqueString("host"),
                date_started=date_started,
                date_completed=date_started + duration,
            )
        return activity

"""What a report of a period says of each script."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from zope.interface import Interface


__all__ = [
    "IScriptReportSet",
    "ReportFigures",
]


class ReportFigures(NamedTuple):
    """The figures of a script in a period, over all hosts.

    What has been pruned counts too.  Then the median is computed from the
    medians of days, and the 95th percentile is not known.

    :ivar runs: the number of successes.
    :ivar failures: the number of attempts that failed, were killed or
        vanished.
    :ivar median: of the durations of the successes; `None` without any.
    :ivar percentile_95: the same; `None` if a success has been pruned.
    :ivar due: the number of slots that are known from pruning to be due.
    :ivar met: the number of these that were met.
    :ivar incidents: the number of incidents that opened.
    :ivar recovery: the median of their durations, of those that are closed;
        `None` without any.
    """

    name: str
    runs: int = 0
    failures: int = 0
    median: datetime.timedelta | None = None
    percentile_95: datetime.timedelta | None = None
    due: int = 0
    met: int = 0
    incidents: int = 0
    recovery: datetime.timedelta | None = None


class IScriptReportSet(Interface):
    """Figures of all scripts in a period.  A utility."""

    def getFigures(since, until):
        """The figures of each script that has any.

        :param since: an aware datetime, the begin of a day in UTC.
        :param until: the same; what starts or opens then is left out.
        :return: a list of `ReportFigures`, by name, from one statement.
        """

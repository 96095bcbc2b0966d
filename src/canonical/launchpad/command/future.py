"""What is on record of the future, since a clock was ahead."""

from __future__ import annotations

from collections.abc import Container

from zope.component import getUtility

from canonical.launchpad.command.output import complain
from canonical.launchpad.interfaces import FutureActivities
from canonical.launchpad.interfaces import IScriptActivitySet


__all__ = [
    "print_future",
]


def print_future(names: Container[str] | None = None) -> None:
    """Print a line on standard error for each script and host that has any.

    :param names: of these scripts only.
    """
    for each in getUtility(IScriptActivitySet).getFutureActivities():
        if names is None or each.name in names:
            complain(_sentence(each))


def _sentence(activities: FutureActivities) -> str:
    name, hostname, started, count = activities
    return (
        f"{name} on {hostname} has successes on record that started in the"
        f" future ({count}, from {started:%Y-%m-%d %H:%M:%S} UTC on); they do"
        " not count before then; if a clock was ahead, delete them: DELETE"
        f" FROM scriptactivity WHERE name = {_literal(name)} AND hostname ="
        f" {_literal(hostname)} AND date_started >="
        f" {_literal(started.isoformat())}")


def _literal(text: str) -> str:
    """By "String Constants" in the PostgreSQL manual."""
    return "'" + text.replace("'", "''") + "'"

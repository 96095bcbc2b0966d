"""When rules were first seen."""

from __future__ import annotations

from typing import NamedTuple

from zope.interface import Interface


__all__ = [
    "IScriptRuleSet",
    "SeenRule",
]


class SeenRule(NamedTuple):
    """The schedule that a script is expected to follow, on a host.

    :ivar hostname: `None` for any host.
    :ivar schedule: the schedule and its time zone, or the interval.
    """

    name: str
    hostname: str | None
    schedule: str


class IScriptRuleSet(Interface):
    """When each rule was first seen.  A utility."""

    def recordSeen(rules, at):
        """Record when rules were first seen, if they are new.

        A rule that is known stays as it is.

        :param rules: a sequence of `SeenRule`.
        :param at: an aware datetime.
        :return: is there anything new?
        """

    def getSeen():
        """When each rule was first seen.

        :return: a dict from `SeenRule` to aware datetimes, in UTC, from one
            statement.
        """

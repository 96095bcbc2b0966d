"""Implements `IScriptExpectation`: a rule, checked and in words."""

from __future__ import annotations

import datetime
import functools
from typing import Any

from zope.interface import Interface
from zope.interface import implementer
from zope.schema import Choice
from zope.schema import Field
from zope.schema import Int
from zope.schema import Timedelta
from zope.schema import Tuple
from zope.schema import ValidationError
from zope.schema import getFields

from canonical.config.durations import duration_text
from canonical.config.durations import parse_band
from canonical.config.durations import parse_duration
from canonical.launchpad.interfaces import IScriptActivity
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import checked_text
from canonical.launchpad.monitor.schedule import CACHED
from canonical.launchpad.monitor.schedule import ONCALENDAR
from canonical.launchpad.monitor.schedule import check_schedule
from canonical.launchpad.monitor.schedule import shortest_period
from canonical.launchpad.nearest import nearest
from canonical.launchpad.plaintext import counted


__all__ = [
    "ScriptExpectation",
    "check_value",
    "expectation_from_text",
    "rule_text",
]


FIELDS = getFields(IScriptExpectation)
ONE_OF = "one of schedule, oncalendar and every is needed, and only one"
# A run may be early by this part of the time between two slots.
EARLY = 8

DEFAULTS = {name: field.default for name, field in FIELDS.items()}


# Only the interface lists the fields.
@implementer(IScriptExpectation)
class ScriptExpectation:  # type: ignore[misc]
    """See `IScriptExpectation`.

    :param values: values of the fields; other fields have their defaults.
    :raises ValueError: if a value is wrong.  The text says why.
    """

    def __init__(self, name: str, **values: Any):
        checked_text(IScriptActivity["name"], name)
        vars(self).update(_checked(**values), name=name)


# Hardly a rule of ten thousand has values that no other has.
@functools.lru_cache(CACHED, typed=True)
def _checked(**values: Any) -> dict[str, Any]:
    """All fields of a rule but its name.

    :raises ValueError: if a value is wrong.  The text says why.
    """
    fields = {**DEFAULTS, **values}
    hosts = fields["hosts"]
    for host in hosts:
        checked_text(IScriptActivity["hostname"], host)
    if len(set(hosts)) < len(hosts):
        raise ValueError(f"hosts names a host twice: {' '.join(hosts)}")
    if fields["after"] is not None:
        checked_text(IScriptActivity["name"], fields["after"])
    tags = fields["tags"]
    if len(set(tags)) < len(tags):
        raise ValueError(f"tags has a tag twice: {' '.join(tags)}")
    schedule = fields["schedule"]
    if (schedule is None) == (fields["every"] is None):
        raise ValueError(ONE_OF)
    check_schedule(
        "* * * * *" if schedule is None else schedule, fields["timezone"])
    for attribute, value in values.items():
        if attribute not in (
            "after", "hosts", "schedule", "tags", "timezone"
        ):
            check_value(IScriptExpectation, attribute, value)
    if fields["early"]:
        _check_early(fields["early"], schedule)
    return fields


def _check_early(early: datetime.timedelta, schedule: str | None) -> None:
    """Check that an early run cannot be a late run of the slot before.

    :raises ValueError: if it can.
    """
    if schedule is None:
        raise ValueError(
            "early needs a schedule or oncalendar; with every, no run is too"
            " early")
    allowed = shortest_period(schedule) / EARLY
    if early > allowed:
        raise ValueError(
            f"early must be at most {duration_text(allowed)}, an eighth of the"
            f" time between two slots, not {duration_text(early)}")


def expectation_from_text(name: str, **texts: Any) -> ScriptExpectation:
    """The rule for the attributes that operators write.

    :param texts: ``average`` is a band such as ``2s..4m``, or ``learned``;
        ``oncalendar`` is expressions as in systemd.time(7), with semicolons
        between them, instead of a schedule.  The others are of the fields:
        hosts and tags are separated by spaces, and durations are as
        `parse_duration` reads them.
    :raises ValueError: for whatever is wrong; says what would be right.
    """
    return ScriptExpectation(name, **_values(**texts))


@functools.lru_cache(CACHED)
def _values(
    average: str | None = None,
    oncalendar: str | None = None,
    **texts: Any,
) -> dict[str, Any]:
    """The values of fields, from the attributes that operators write."""
    values = {
        attribute: _value(attribute, FIELDS[attribute], text)
        for attribute, text in texts.items() if text is not None}
    if oncalendar is not None:
        if "schedule" in values:
            raise ValueError(ONE_OF)
        values["schedule"] = ONCALENDAR + oncalendar
    if average == "learned":
        values["learned"] = True
    elif average is not None:
        values["average_min"], values["average_max"] = _band(average)
    return values


def _band(text: str) -> Any:
    try:
        return parse_band(text)
    except ValueError as error:
        raise ValueError(
            f"average: {error}{nearest(text, ['learned'])}") from None


def _value(attribute: str, field: Field, text: Any) -> Any:
    """The value of a field, from its text."""
    if isinstance(field, Tuple):
        if "," in text:
            raise ValueError(
                f"{attribute} are separated by spaces, not commas: {text!r}")
        return tuple(text.split())
    try:
        if isinstance(field, Timedelta):
            return parse_duration(text)
        if isinstance(field, Int):
            return int(text)
    except ValueError as error:
        if isinstance(field, Int):
            raise ValueError(_problem(attribute, field, text)) from None
        raise ValueError(f"{attribute}: {error}") from None
    return text


@functools.cache
def check_value(
    interface: type[Interface], name: str, value: object, attribute: str = ""
) -> None:
    """Check the value of a field.

    :param name: the name of the field.
    :param attribute: the attribute that operators write, if its name differs.
    :raises ValueError: if the value is wrong.  The text says what is expected.
    """
    field = interface[name]
    try:
        field.validate(value)
    except ValidationError:
        raise ValueError(_problem(attribute or name, field, value)) from None


def _problem(attribute: str, field: Any, value: Any) -> str:
    """The message about a wrong value, which says what is expected."""
    if isinstance(field, Choice):
        known = [term.value for term in field.vocabulary]
        return (
            f"{attribute} must be {' or '.join(known)}, not {value!r}"
            f"{nearest(value, known)}")
    if isinstance(value, datetime.timedelta):
        least = " more than 0s and" if field.min else ""
        return (
            f"{attribute} must be{least} at most {duration_text(field.max)},"
            f" not {duration_text(value)}")
    bounds = (
        f"of {field.min} or more" if field.max is None else
        f"from {field.min} to {field.max}")
    return f"{attribute} must be a whole number {bounds}, not {value!r}"


def rule_text(rule: IScriptExpectation) -> str:
    """A rule as a person reads it."""
    misses = counted(rule.missed, "miss", "misses")
    when = f"every {duration_text(rule.every)}" if rule.every else (
        f"schedule {rule.schedule} {rule.timezone}")
    return ", ".join(filter(None, [
        when,
        f"grace {duration_text(rule.grace)}",
        f"{misses} allowed in {duration_text(rule.window)}",
        None if rule.extra is None else f"{rule.extra} extra allowed",
        _average_text(rule),
        f"{duration_text(rule.early)} early allowed" if rule.early else None,
        f"on {' '.join(rule.hosts)}" if rule.hosts else None,
        f"after {rule.after}" if rule.after else None,
        rule.severity,
        f"tags {' '.join(rule.tags)}" if rule.tags else None,
    ]))


def _average_text(rule: IScriptExpectation) -> str | None:
    if rule.learned:
        return "average learned"
    if rule.average_min is None and rule.average_max is None:
        return None
    low, high = (
        "" if each is None else duration_text(each)
        for each in (rule.average_min, rule.average_max))
    return f"average {low}..{high}"

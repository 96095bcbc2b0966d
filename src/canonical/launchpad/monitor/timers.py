"""Rules from timers of systemd; see systemd.timer(5)."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass

from canonical.config.durations import duration_text
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.rulesfile import Rule
from canonical.launchpad.monitor.scriptname import script_of


__all__ = [
    "Timer",
    "rules_of_timers",
    "service_of",
]


SUFFIX = ".timer"

# See "Parsing time spans" in systemd.time(7); seconds.
UNITS = {
    "usec us": 1e-6, "msec ms": 1e-3, "seconds second sec s": 1,
    "minutes minute min m": 60, "hours hour hr h": 3600,
    "days day d": 86400, "weeks week w": 604800,
    "months month M": 2629800, "years year y": 31557600,
}
SECONDS = {
    name: seconds for names, seconds in UNITS.items()
    for name in names.split()}

SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")

# These are before the path of a program; see systemd.service(5).
BEFORE_PROGRAM = "-@:+!|"

# How long after the last run, and how late a timer may be.
AFTER_RUN = ("Timer.OnUnitActiveSec", "Timer.OnUnitInactiveSec")
AFTER_BOOT = ("Timer.OnBootSec", "Timer.OnStartupSec", "Timer.OnActiveSec")
DELAYS = {"Timer.RandomizedDelaySec": "0", "Timer.AccuracySec": "1min"}


@dataclass(frozen=True)
class Timer:
    """A timer.

    :ivar source: what to call the text.
    :ivar unit: its name, such as ``backup.timer``.
    :ivar text: its unit file, and what is dropped in after it.
    :ivar service: the same of what it starts; empty if it is not known.
    """

    source: str
    unit: str
    text: str
    service: str


class NoSchedule(Exception):
    """A timer starts at no time that is known; the text says when."""


def service_of(unit: str, text: str) -> str:
    """The unit that a timer starts.

    :param unit: the name of the timer.
    :param text: as of `Timer`.
    """
    return _last(
        _values(text), "Timer.Unit", f"{unit.removesuffix(SUFFIX)}.service")


def rules_of_timers(
    timers: Iterable[Timer], timezone: str
) -> tuple[list[Rule], list[tuple[str, bool]]]:
    """The rules for timers, and sentences about those that have none.

    :param timezone: that of the machine.
    :return: the rules, with a comment for each sentence among them; and the
        sentences, each with whether nobody has to do anything about it.
    """
    rules: list[Rule] = []
    said: list[tuple[str, bool]] = []
    sources: dict[str, str] = {}
    for timer in timers:
        try:
            rule = _rule(timer, timezone)
            name = rule.attributes["name"]
            if name in sources:
                raise ValueError(
                    f"{name} has a rule already, from {sources[name]}")
            sources[name] = timer.source
        except (NoSchedule, ValueError) as error:
            text = f"{timer.source}: {error}"
            said.append((text, isinstance(error, NoSchedule)))
            rule = Rule(comments=(text,))
        rules.append(rule)
    return rules, said


def _rule(timer: Timer, timezone: str) -> Rule:
    """The rule for a timer.

    :raises NoSchedule: if it has none.
    :raises ValueError: if there can be no rule; says why.
    """
    values = _values(timer.text)
    name, comments = _name(timer)
    attributes = {"name": name, **_schedule(values, timezone)}
    delay = sum((
        _span(_last(values, key, default))
        for key, default in DELAYS.items()), datetime.timedelta())
    grace = IScriptExpectation["grace"].default
    attributes["grace"] = duration_text(grace + delay)
    expectation_from_text(**attributes)
    return Rule(attributes, (timer.source, *comments))


def _schedule(
    values: Mapping[str, list[str]], timezone: str
) -> dict[str, str]:
    if calendars := values.get("Timer.OnCalendar"):
        return {"oncalendar": "; ".join(calendars), "timezone": timezone}
    spans = [
        _span(value) for key in AFTER_RUN for value in values.get(key, [])]
    if spans:
        return {"every": duration_text(min(spans))}
    if any(key in values for key in AFTER_BOOT):
        raise NoSchedule("it starts once after the boot, at no time of day")
    raise ValueError("there is no OnCalendar in it")


def _name(timer: Timer) -> tuple[str, list[str]]:
    """The name that runs have, and what to know about it.

    It is that of the script if the script reports its runs itself, and else
    that of the unit, which is unique.
    """
    unit = timer.unit.removesuffix(SUFFIX)
    if unit.endswith("@"):
        raise NoSchedule("it is a template; its instances have names")
    commands = _values(timer.service).get("Service.ExecStart", [])
    if len(commands) == 1:
        try:
            script = script_of(commands[0].lstrip(BEFORE_PROGRAM))
        except ValueError:
            pass
        else:
            if script.reports:
                return script.name, []
    return unit, [
        "its runs are recorded only if ExecStart begins with: scriptactivity"
        f" run {unit}"]


def _values(text: str) -> dict[str, list[str]]:
    """What a unit file assigns to ``Section.Key``; see systemd.syntax(7)."""
    values: dict[str, list[str]] = {}
    section = ""
    # A comment may stand between a line and its continuation.
    lines = [
        line.strip() for line in text.split("\n")
        if not line.lstrip().startswith(("#", ";"))]
    for line in "\n".join(lines).replace("\\\n", " ").split("\n"):
        if line.startswith("["):
            section = line.strip("[]")
            continue
        key, _, value = line.partition("=")
        found = values.setdefault(f"{section}.{key.strip()}", [])
        if value.strip():
            found.append(value.strip())
        else:
            # What was assigned before is forgotten.
            found.clear()
    return values


def _last(values: Mapping[str, list[str]], key: str, default: str) -> str:
    return [default, *values.get(key, [])][-1]


def _span(text: str) -> datetime.timedelta:
    """A time span as in systemd.time(7).

    :raises ValueError: if it is none.
    """
    seconds = 0.0
    place = 0
    while found := SPAN.match(text, place):
        number, unit = found.groups()
        if unit and unit not in SECONDS:
            break
        seconds += float(number) * SECONDS[unit or "s"]
        place = found.end()
    try:
        if place == len(text) > 0:
            return datetime.timedelta(seconds=seconds)
    except OverflowError:
        pass
    raise ValueError(
        f"not a time span: {text!r}; expected something like 90, 5min or"
        " 1h 30min")

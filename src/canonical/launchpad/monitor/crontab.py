"""Rules from crontabs.

Crontabs are read as Debian's cron and cronie read them; see crontab(5).  Text
goes in, rules come out; `canonical.launchpad.command.crontab` reads the files.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass

from canonical.config.durations import duration_text
from canonical.config.durations import parse_duration
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.rulesfile import Rule
from canonical.launchpad.monitor.schedule import check_schedule
from canonical.launchpad.monitor.schedule import five_fields
from canonical.launchpad.monitor.scriptname import script_of
from canonical.launchpad.monitor.wrappers import is_known_command


__all__ = [
    "Entry",
    "Note",
    "is_system_crontab",
    "parse_crontab",
    "rules_of",
]


# In cron words end at spaces and tabs, and nowhere else.
SETTING = re.compile(
    r"""(["']?)([A-Za-z_]\w*)\1[ \t]*=[ \t]*(.*)""", re.ASCII)
ENTRY = re.compile(
    r"-?(@[^ \t]+|[^ \t]+(?:[ \t]+[^ \t]+){4})(?:[ \t]+(.+))?")

# `cronsim` takes more than cron does.
ITEM = r"(?:\*|[0-9a-z]+-[0-9a-z]+)(?:/[0-9]+)?|[0-9]+|[a-z]{3}"
FIELD = re.compile(f"(?:{ITEM})(?:,(?:{ITEM}))*", re.I | re.A)

# A line that nobody has written by hand could take for ever to parse.
LONGEST = 1000

# Some commands sleep first, so that not all hosts start at once.
SLEEP = re.compile(
    r"[({\s]*(?:/usr)?(?:/bin/)?sleep\s+"
    r"(?:([0-9]{1,5}(?:\.[0-9]+)?)([smhd]?)\s*(?:;|&&)|\S*[$`])", re.ASCII)

USER = re.compile(r"[A-Za-z_][\w.-]*\$?(?::\w+)?(?:/\w+)?", re.ASCII)
COMMAND = re.compile(r"[./~$({\[]|[A-Za-z_]\w*=|.*/")


@dataclass(frozen=True)
class Entry:
    """A line with a schedule and a command.

    :ivar source: what to call the crontab.
    :ivar line: its number, from 1.
    :ivar text: the line itself.
    :ivar timezone: the time zone of the schedule.
    :ivar delay: how much later cron may start it; see RANDOM_DELAY.
    """

    source: str
    line: int
    text: str
    schedule: str
    timezone: str
    delay: datetime.timedelta
    command: str


@dataclass(frozen=True)
class Note:
    """A line that becomes no rule, and why.

    :ivar understood: nobody has to do anything about it.
    """

    source: str
    line: int
    text: str
    reason: str
    understood: bool = False


class _Remark(Exception):
    """A line was understood, but no rule follows from it."""


def is_system_crontab(text: str) -> bool:
    """Does the sixth field of each entry look like a user?

    It does if it could be a user's name and a command seems to follow.
    """
    entries = [
        entry.group(2).split(None, 2)
        for _, line in _lines(text)
        if not SETTING.fullmatch(line)
        and (entry := ENTRY.fullmatch(line)) and entry.group(2)]
    return bool(entries) and all(
        len(words) > 1 and USER.fullmatch(words[0]) is not None
        and not is_known_command(words[0])
        and (words[0] == "root" or is_known_command(words[1])
             or COMMAND.match(words[1]) is not None)
        for words in entries)


def parse_crontab(
    text: str, source: str, timezone: str, system: bool
) -> list[Entry | Note]:
    """The entries of a crontab, and notes on its other lines, in their order.

    :param source: what to call the crontab.
    :param timezone: the time zone of cron itself.
    :param system: is the sixth field a user?
    """
    items: list[Entry | Note] = []
    settings = _Settings(timezone)
    for number, line in _lines(text):
        try:
            if setting := SETTING.fullmatch(line):
                settings.set(number, setting.group(2), setting.group(3))
                continue
            schedule, command = _split(line, system)
            items.append(Entry(
                source, number, line, schedule, settings.zone(),
                settings.delay, command))
        except (ValueError, _Remark) as error:
            items.append(Note(
                source, number, line, str(error),
                understood=isinstance(error, _Remark)))
    return items


def rules_of(
    items: Iterable[Entry | Note], names: Sequence[tuple[str, str]] = ()
) -> tuple[list[Rule], list[Note]]:
    """The rules for entries, and notes on the lines that become none.

    :param names: see `script_of`.
    :return: the rules in the order of the lines, with a comment for each
        note among them; and the notes.
    """
    rules: list[Rule] = []
    notes: list[Note] = []
    place: dict[str, int] = {}
    for item in items:
        note = item if isinstance(item, Note) else None
        if isinstance(item, Entry):
            try:
                rule = _rule(item, names)
                name = rule.attributes["name"]
                if name in place:
                    rules[place[name]] = _merged(rules[place[name]], rule)
                else:
                    place[name] = len(rules)
                    rules.append(rule)
            except ValueError as error:
                note = Note(item.source, item.line, item.text, str(error))
        if note is not None:
            notes.append(note)
            rules.append(Rule(comments=(
                f"{note.source}:{note.line}: {note.reason}", note.text)))
    return rules, notes


class _Settings:
    """The settings of a crontab that change when something runs."""

    def __init__(self, timezone: str) -> None:
        self.timezone = timezone
        self.delay = datetime.timedelta()
        self.wrong_line = 0

    def set(self, number: int, name: str, value: str) -> None:
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        if name == "CRON_TZ":
            self.wrong_line = number
            self.timezone = value.removeprefix(":")
            check_schedule("* * * * *", self.timezone)
            self.wrong_line = 0
        elif name == "TZ" and value.removeprefix(":") != self.timezone:
            raise _Remark(
                "TZ changes the time zone of commands only; schedules stay in"
                f" {self.timezone} unless CRON_TZ is set")
        elif name == "RANDOM_DELAY":
            if not re.fullmatch("[0-9]{1,6}", value):
                raise ValueError(f"not a number of minutes: {value!r}")
            self.delay = datetime.timedelta(minutes=int(value))

    def zone(self) -> str:
        """The zone of the entries from here on."""
        if self.wrong_line:
            raise ValueError(
                f"its time zone, of line {self.wrong_line}, is unknown")
        return self.timezone


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that are neither empty nor comments, and their numbers."""
    lines = text.removeprefix("\ufeff").split("\n")
    for number, line in enumerate(lines, 1):
        line = line.strip(" \t\r")
        if line and not line.startswith("#"):
            yield number, line


def _split(line: str, system: bool) -> tuple[str, str]:
    """The schedule and the command of a line.

    :raises ValueError: if it has none; says what it lacks.
    """
    if len(line) > LONGEST:
        raise ValueError(f"longer than {LONGEST} characters")
    entry = ENTRY.fullmatch(line)
    if entry is None:
        raise ValueError(
            "expected a schedule and a command, or a setting")
    schedule = " ".join(entry.group(1).split())
    if schedule == "@reboot":
        raise _Remark("@reboot has no schedule; it runs when cron starts")
    if "~" in schedule:
        raise ValueError(
            f"cron chooses the time at random: {schedule!r}")
    if not schedule.startswith("@"):
        for field in schedule.split():
            if not FIELD.fullmatch(field):
                raise ValueError(
                    f"{field!r} is not as in crontab(5)" + (
                        "; a step follows a range, as in 5-59/15"
                        if "/" in field else ""))
    # What follows "%" is the command's input.
    command = re.split(r"(?<!\\)%", entry.group(2) or "", maxsplit=1)[0]
    command = command.replace(r"\%", "%").strip()
    if system:
        _, _, command = command.replace("\t", " ").partition(" ")
        command = command.strip()
    if not command:
        raise ValueError("no command")
    return schedule, command


def _rule(entry: Entry, names: Sequence[tuple[str, str]]) -> Rule:
    """The rule for one entry.

    :raises ValueError: if there can be none; says why.
    """
    attributes = {
        "name": script_of(entry.command, names).name,
        "schedule": entry.schedule,
        "timezone": entry.timezone,
    }
    comments = [f"{entry.source}:{entry.line}"]
    delay = entry.delay
    if sleeps := SLEEP.match(entry.command):
        number, unit = sleeps.group(1, 2)
        if number is None:
            comments.append(
                "the command sleeps first, and only the shell knows how long:"
                " allow for it in grace")
        else:
            delay += parse_duration(number + (unit or "s"))
    if delay:
        grace = IScriptExpectation["grace"].default
        attributes["grace"] = duration_text(grace + delay)
    expectation_from_text(**attributes)
    return Rule(attributes, tuple(comments))


def _merged(first: Rule, second: Rule) -> Rule:
    """One rule for two entries of the same script.

    :raises ValueError: if no single schedule fits both.
    """
    schedule = _union(
        first.attributes["schedule"], second.attributes["schedule"])
    attributes = {**first.attributes, "schedule": schedule or ""}
    if schedule is None or attributes != {
        **second.attributes, "schedule": schedule
    }:
        raise ValueError(
            f"{first.attributes['name']} has a rule already, from"
            f" {first.comments[0]}, and no single schedule fits both")
    return Rule(attributes, first.comments + second.comments)


def _union(one: str, other: str) -> str | None:
    """A schedule that fires when either does, if they differ in one field."""
    if one == other:
        return one
    one, other = five_fields(one), five_fields(other)
    fields = one.split()
    differing = [
        place for place, (each, its) in enumerate(
            zip(fields, other.split(), strict=False)) if each != its]
    if len(differing) != 1:
        return None
    place, = differing
    pair = fields[place], other.split()[place]
    # A star is more than all values: it decides how days combine, and what
    # happens when the clocks change.
    if any(each.startswith("*") for each in pair):
        return None
    fields[place] = ",".join(dict.fromkeys(",".join(pair).split(",")))
    return " ".join(fields)

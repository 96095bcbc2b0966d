"""The lines of crontabs, as Debian's cron and cronie read them.

See crontab(5).  Rules from them are in
`canonical.launchpad.monitor.cronrules`.
"""

from __future__ import annotations

import datetime
import functools
import itertools
import re
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass

from canonical.launchpad.monitor.findscripts import SUFFIX
from canonical.launchpad.monitor.programs import is_known_command
from canonical.launchpad.monitor.schedule import check_schedule


__all__ = [
    "Entry",
    "LONGEST",
    "Note",
    "field_text",
    "is_read_by_cron",
    "is_system_crontab",
    "parse_crontab",
]


# In cron words end at spaces and tabs, and nowhere else.
SETTING = re.compile(
    r"""(["']?)([A-Za-z_]\w*)\1[ \t]*=[ \t]*(.*)""", re.ASCII)
ENTRY = re.compile(
    r"-?(@[^ \t]+|[^ \t]+(?:[ \t]+[^ \t]+){4})(?:[ \t]+(.+))?")

# `cronsim` takes more than cron does.
ITEM = (
    r"(?:\*|[0-9a-z]+-[0-9a-z]+|[0-9]*~[0-9]*)(?:/[0-9]+)?|[0-9]+|[a-z]{3}")
FIELD = re.compile(f"(?:{ITEM})(?:,(?:{ITEM}))*", re.I | re.A)

# A line that nobody has written by hand could take for ever to parse.
LONGEST = 1000

USER = re.compile(r"[A-Za-z_][\w.-]*\$?(?::\w+)?(?:/\w+)?", re.ASCII)
COMMAND = re.compile(r"[./~$({\[]|[A-Za-z_]\w*=|.*/")

# A per cent sign ends a command, unless a backslash is before it.
UP_TO_PERCENT = re.compile(r"(?:[^\\%]|\\.?)*")

# Debian's cron reads no other file of a directory, such as one that dpkg has
# left.
FILE_NAME = re.compile(r"[\w-]+", re.ASCII)

WORD = re.compile("[^ \t]+[ \t]*")


@dataclass(frozen=True)
class Entry:
    """A line with a schedule and a command.

    :ivar source: what to call the crontab.
    :ivar line: its number, from 1.
    :ivar text: the line itself.
    :ivar schedule: five fields, where ``~`` is for a time at random, or a
        nickname; ``@reboot`` is one too.
    :ivar timezone: the time zone of the schedule.
    :ivar cron_tz: is it that of CRON_TZ?
    :ivar delay: how much later cron may start it; see RANDOM_DELAY.
    :ivar environment: the variables that the lines before it set.
    :ivar place: where the command begins in the line.
    """

    source: str
    line: int
    text: str
    schedule: str
    timezone: str
    cron_tz: bool
    delay: datetime.timedelta
    environment: Mapping[str, str]
    command: str
    place: int


@dataclass(frozen=True)
class Note:
    """A line that becomes no rule, or is not wrapped, or needs a remark.

    :ivar reason: why, or the remark.
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

    It does if it could be a user's name and a command seems to follow.  A
    path that begins with ``./`` follows another command.
    """
    entries = [
        entry.group(2).split(None, 2)
        for _, line in _lines(text)
        if not SETTING.fullmatch(line)
        and (entry := ENTRY.fullmatch(line)) and entry.group(2)]
    return bool(entries) and all(
        len(words) > 1 and USER.fullmatch(words[0]) is not None
        and not is_known_command(words[0])
        and SUFFIX.search(words[0]) is None
        and (words[0] == "root" or not words[1].startswith("./") and (
            is_known_command(words[1])
            or COMMAND.match(words[1]) is not None))
        for words in entries)


def is_read_by_cron(name: str) -> bool:
    """Does cron read a file of this name in a directory such as /etc/cron.d?
    """
    return FILE_NAME.fullmatch(name) is not None


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
            schedule, command, place = _split(line, system)
            items.append(Entry(
                source, number, line, schedule, settings.zone(),
                settings.cron_tz, settings.delay,
                settings.environment.copy(), command, place))
        except (ValueError, _Remark) as error:
            items.append(Note(
                source, number, line, str(error),
                understood=isinstance(error, _Remark)))
    return items


class _Settings:
    """The settings of a crontab that change when something runs."""

    def __init__(self, timezone: str) -> None:
        self.timezone = timezone
        self.cron_tz = False
        self.delay = datetime.timedelta()
        self.environment: dict[str, str] = {}
        self.wrong_line = 0

    def set(self, number: int, name: str, value: str) -> None:
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        self.environment[name] = value
        if name == "CRON_TZ":
            self.cron_tz = True
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


def _split(line: str, system: bool) -> tuple[str, str, int]:
    """The schedule and the command of a line, and where the command begins.

    :raises ValueError: if it has none; says what it lacks.
    """
    if len(line) > LONGEST:
        raise ValueError(f"longer than {LONGEST} characters")
    entry = ENTRY.fullmatch(line)
    if entry is None:
        raise ValueError(
            "expected a schedule and a command, or a setting")
    schedule = " ".join(entry.group(1).split())
    if not schedule.startswith("@"):
        for field in schedule.split():
            if not FIELD.fullmatch(field):
                raise ValueError(
                    f"{field!r} is not as in crontab(5)" + (
                        "; a step follows a range, as in 5-59/15"
                        if "/" in field else ""))
    place = len(line) if entry.group(2) is None else entry.start(2)
    if system and (user := WORD.match(line, place)):
        place = user.end()
    # What follows "%" is the command's input.
    found = UP_TO_PERCENT.match(line, place)
    command = found[0].replace(r"\%", "%").strip() if found else ""
    if not command:
        raise ValueError("no command")
    return schedule, command, place


@functools.lru_cache(10_000)
def field_text(values: tuple[int, ...], whole: tuple[int, ...]) -> str:
    """A field in its shortest form, such as ``*/10``.

    :param whole: all values that the field can have.
    """
    if values == whole:
        return "*"
    steps = {b - a for a, b in itertools.pairwise(values)}
    step = steps.pop() if len(steps) == 1 else 0
    first, last = values[0], values[-1]
    if step > 1 and first == whole[0] and last + step > whole[-1] and (
            len(values) > 2 or len(whole) == step * len(values)):
        return f"*/{step}"
    if step > 1 and len(values) > 3:
        return f"{first}-{last}/{step}"
    parts = [
        [str(value) for _, value in part] for _, part in itertools.groupby(
            enumerate(values), lambda pair: pair[1] - pair[0])]
    return ",".join(
        f"{part[0]}-{part[-1]}" if len(part) > 2 else ",".join(part)
        for part in parts)

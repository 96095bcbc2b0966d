"""The command ``scriptactivity crontab``: rules, or a wrapped crontab."""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path

import psycopg2
from storm.exceptions import StormError
from zope.component import getUtility

from canonical.config import ConfigError
from canonical.config import config
from canonical.config.timelimit import within
from canonical.database.postgres import EmbeddedClusterError
from canonical.database.postgres import connection_parameters
from canonical.database.sqlbase import initZopeless
from canonical.launchpad.command.printing import complain
from canonical.launchpad.command.printing import in_a_line
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.monitor.cronrules import rules_of
from canonical.launchpad.monitor.crontab import Entry
from canonical.launchpad.monitor.crontab import Note
from canonical.launchpad.monitor.crontab import is_read_by_cron
from canonical.launchpad.monitor.crontab import is_system_crontab
from canonical.launchpad.monitor.crontab import parse_crontab
from canonical.launchpad.monitor.rulesfile import rules_as_zcml
from canonical.launchpad.monitor.schedule import check_schedule
from canonical.launchpad.monitor.scriptname import parse_names
from canonical.launchpad.monitor.wrap import add_run
from canonical.launchpad.plaintext import counted
from canonical.launchpad.zcml import execute_zcml


__all__ = [
    "TroubleError",
    "check_named_config",
    "crontab",
    "text_of",
    "zone_of",
]


ZONES = "zoneinfo/"


# The bytes of a file.  Devices have no end.
LARGEST = 10_000_000

# Seconds to wait for the names on record, which are no more than a help.
TIMEOUT = 10

TROUBLE = (
    ConfigError, EmbeddedClusterError, OSError, StormError, psycopg2.Error)


class TroubleError(Exception):
    """A file cannot be read; the text is a line that says why."""


def crontab(args: argparse.Namespace) -> int:
    """Generate rules from crontabs, or wrap the commands of one.

    A line that becomes no rule, or is not wrapped, is a line on standard
    error.  Exit status: 0; 1 if there is such a line that somebody has to do
    something about, or there is no line at all; 2 if a file could not be
    read.
    """
    check_named_config(args)
    try:
        timezone = zone_of(args.timezone)
        names = [] if args.names is None else _names(args.names)
        texts = {
            file: text_of(file) for given in args.files
            for file in _files(given)}
        if args.wrap and len(texts) > 1:
            raise TroubleError(
                f"--wrap takes one crontab, and these are {len(texts)}")
    except TroubleError as error:
        complain(str(error))
        return 2
    items: list[Entry | Note] = []
    heading = [
        "Generated from crontabs by: scriptactivity crontab",
        f"Schedules without CRON_TZ are in {timezone}."]
    for file, text in texts.items():
        system = _is_system(file, text) if args.system is None else args.system
        kind = "system crontab, with" if system else "user crontab, without"
        source = "stdin" if file == "-" else file
        heading.append(f"{source} is read as a {kind} a field for the user.")
        found = parse_crontab(text, source, timezone, system)
        if not found:
            complain(f"{source}: there is no schedule in it")
        items += found
    if args.wrap:
        count = _wrap("".join(texts.values()), items, names)
    else:
        count = _print_rules(items, names, heading)
    return 1 if count or not items else 0


def _print_rules(
    items: Sequence[Entry | Note],
    names: Sequence[tuple[str, str]],
    heading: Sequence[str],
) -> int:
    """Print a rules file; returns how many lines were not understood."""
    try:
        # An embedded server may have to start, which nothing should cut short.
        connection_parameters()
        on_record = within(TIMEOUT, _names_on_record)
    except TROUBLE as error:
        on_record = set()
        heading = [
            *heading, "Names are not compared with those on record:"
            f" {in_a_line(error)}"]
    rules, notes = rules_of(items, _now(), names, on_record)
    # ZCML is in UTF-8, whatever the terminal is in.
    sys.stdout.buffer.write(rules_as_zcml(rules, heading).encode())
    return _complain_of(
        notes, "not understood; --names gives a name to a script whose command"
        " does not show it")


def _wrap(
    text: str,
    items: Sequence[Entry | Note],
    names: Sequence[tuple[str, str]],
) -> int:
    """Print the crontab wrapped; returns how many lines are left."""
    _, notes = rules_of(items, _now(), names)
    # cron's PATH is short.
    program = os.path.abspath(sys.argv[0])
    wrapped, left = add_run(text, items, notes, names, program)
    sys.stdout.buffer.write(wrapped.encode(errors="surrogateescape"))
    return _complain_of(left, "not wrapped, and printed as before")


def _complain_of(notes: Sequence[Note], what: str) -> int:
    """Complain of lines; returns how many there are to do something about."""
    for note in notes:
        # Crontabs have tabs between fields, which would be hard to read.
        said = f"{note.source}:{note.line}: {note.reason}: {note.text}"
        complain(said.expandtabs())
    count = sum(not note.understood for note in notes)
    if count:
        complain(f"{counted(count, 'line')} {what}")
    return count


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _names_on_record() -> set[str]:
    execute_zcml()
    ztm = initZopeless()
    try:
        return {
            each.name
            for each in getUtility(IScriptAttemptSet).getSummaries()}
    finally:
        ztm.uninstall()


def _files(given: str) -> Iterator[str]:
    """The file, or the files of a directory that cron would read."""
    path = Path(given)
    try:
        if given == "-" or not path.is_dir():
            yield given
            return
        files = sorted(each for each in path.iterdir() if not each.is_dir())
    except OSError as error:
        raise TroubleError(f"{path}: {error.strerror}") from None
    if not files:
        complain(f"{path}: there is no crontab in it")
    for each in files:
        if is_read_by_cron(each.name) or _is_spool(each):
            yield str(each)
        else:
            complain(f"{each}: left out; cron reads no file of such a name")


def check_named_config(args: argparse.Namespace) -> None:
    """Check the file that --config names, which little is taken from.

    :raises ConfigError: if it is missing or wrong.
    """
    if args.config is not None:
        config.setting("database", "uri")


def text_of(file: str) -> str:
    """What a file has in it; bytes that are not UTF-8 as surrogates."""
    try:
        if file == "-":
            data = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with open(file, "rb") as stream:
                data = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TroubleError(f"{file}: {reason}") from None
    if b"\0" in data:
        raise TroubleError(f"{file}: not a text file")
    if len(data) > LARGEST:
        raise TroubleError(f"{file}: larger than {LARGEST // 10**6} MB")
    return data.decode(errors="surrogateescape")


def _names(path: Path) -> list[tuple[str, str]]:
    try:
        return parse_names(text_of(str(path)))
    except ValueError as error:
        raise TroubleError(f"{path}: {error}") from None


def _is_system(file: str, text: str) -> bool:
    """By its path, perhaps as it was on another machine, or else its text."""
    path = Path(file).absolute()
    if path.parent.name == "cron.d" or path.parts[-2:] == ("etc", "crontab"):
        return True
    if _is_spool(path):
        return False
    return is_system_crontab(text)


def _is_spool(path: Path) -> bool:
    """Is it where crontab(1) keeps the crontabs of users?"""
    return path.absolute().parts[1:3] == ("var", "spool")


def zone_of(given: str | None) -> str:
    """The time zone of cron; $TZ is that of the user, and does not count."""
    zone = given
    if zone is None:
        target = str(Path("/etc/localtime").resolve())
        zone = target.partition(ZONES)[2]
    if not zone:
        try:
            zone = Path("/etc/timezone").read_text().strip()
        except OSError:
            raise TroubleError(
                "the time zone of this machine is not known: name it with"
                " --timezone") from None
    try:
        check_schedule("* * * * *", zone)
    except ValueError as error:
        expected = "" if "do you mean" in str(error) else (
            "; expected a name such as Europe/London")
        raise TroubleError(f"{error}{expected}") from None
    return "UTC" if zone == "Etc/UTC" else zone

"""The command ``scriptactivity crontab``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from canonical.launchpad.command.output import complain
from canonical.launchpad.monitor.crontab import Entry
from canonical.launchpad.monitor.crontab import Note
from canonical.launchpad.monitor.crontab import is_system_crontab
from canonical.launchpad.monitor.crontab import parse_crontab
from canonical.launchpad.monitor.crontab import rules_of
from canonical.launchpad.monitor.rulesfile import rules_as_zcml
from canonical.launchpad.monitor.schedule import check_schedule
from canonical.launchpad.monitor.scriptname import parse_names


__all__ = [
    "crontab",
]


ZONES = "zoneinfo/"


class _Trouble(Exception):
    """A file cannot be read; the text is a line that says why."""


def crontab(args: argparse.Namespace) -> int:
    """Generate rules from crontabs, and print them as a rules file.

    A line that becomes no rule is a comment in the file, and a line on
    standard error.  Exit status: 0; 1 if a line was not understood; 2 if a
    file could not be read.
    """
    try:
        timezone = _zone(args.timezone)
        names = [] if args.names is None else _names(args.names)
        texts = [
            ("stdin" if file == "-" else file, _text(file))
            for file in args.files]
    except _Trouble as error:
        complain(str(error))
        return 2
    items: list[Entry | Note] = []
    heading = [
        "Generated from crontabs by: scriptactivity crontab",
        f"Schedules without CRON_TZ are in {timezone}."]
    for file, text in texts:
        system = _is_system(file, text) if args.system is None else args.system
        kind = "system crontab, with" if system else "user crontab, without"
        heading.append(f"{file} is read as a {kind} a field for the user.")
        items += parse_crontab(text, file, timezone, system)
    rules, notes = rules_of(items, names)
    # ZCML is in UTF-8, whatever the terminal is in.
    sys.stdout.buffer.write(rules_as_zcml(rules, heading).encode())
    for note in notes:
        # Crontabs have tabs between fields, which would be hard to read.
        said = f"{note.source}:{note.line}: {note.reason}: {note.text}"
        complain(said.expandtabs())
    count = sum(not note.understood for note in notes)
    if not count:
        return 0
    complain(
        f"{count} {'line' if count == 1 else 'lines'} not understood; --names"
        " gives a name to a script whose command does not show it")
    return 1


def _text(file: str) -> str:
    """What a file has in it; bytes that are not UTF-8 as surrogates."""
    try:
        data = sys.stdin.buffer.read() if file == "-" else (
            Path(file).read_bytes())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise _Trouble(f"{file}: {reason}") from None
    if b"\0" in data:
        raise _Trouble(f"{file}: not a text file")
    return data.decode(errors="surrogateescape")


def _names(path: Path) -> list[tuple[str, str]]:
    try:
        return parse_names(_text(str(path)))
    except ValueError as error:
        raise _Trouble(f"{path}: {error}") from None


def _is_system(file: str, text: str) -> bool:
    """By its path, perhaps as it was on another machine, or else its text."""
    path = Path(file).absolute()
    if path.parent.name == "cron.d" or path.parts[-2:] == ("etc", "crontab"):
        return True
    if Path("var/spool").parts == path.parts[1:3]:
        return False
    return is_system_crontab(text)


def _zone(given: str | None) -> str:
    """The time zone of cron; $TZ is that of the user, and does not count."""
    zone = given
    if zone is None:
        target = str(Path("/etc/localtime").resolve())
        zone = target.partition(ZONES)[2]
    if not zone:
        try:
            zone = Path("/etc/timezone").read_text().strip()
        except OSError:
            raise _Trouble(
                "the time zone of this machine is not known: name it with"
                " --timezone") from None
    try:
        check_schedule("* * * * *", zone)
    except ValueError as error:
        raise _Trouble(
            f"{error} (expected a name such as Europe/London)") from None
    return "UTC" if zone == "Etc/UTC" else zone

"""The command ``scriptactivity timers``: rules from timers of systemd."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from canonical.launchpad.command.crontab import TroubleError
from canonical.launchpad.command.crontab import check_named_config
from canonical.launchpad.command.crontab import text_of
from canonical.launchpad.command.crontab import zone_of
from canonical.launchpad.command.printing import complain
from canonical.launchpad.monitor.rulesfile import rules_as_zcml
from canonical.launchpad.monitor.timers import Timer
from canonical.launchpad.monitor.timers import rules_of_timers
from canonical.launchpad.monitor.timers import service_of


__all__ = [
    "timers",
]


def timers(args: argparse.Namespace) -> int:
    """Generate rules from timers of systemd, and print them as a rules file.

    A timer that becomes no rule is a comment in the file, and a line on
    standard error.  Exit status: 0; 1 if a timer was not understood, or there
    is none; 2 if a file could not be read or systemctl failed.
    """
    check_named_config(args)
    try:
        timezone = zone_of(args.timezone)
        found = (
            [_of_file(path) for path in args.files] if args.files else
            [_of_unit(unit) for unit in _units()])
    except TroubleError as error:
        complain(str(error))
        return 2
    rules, said = rules_of_timers(found, timezone)
    heading = [
        "Generated from timers by: scriptactivity timers",
        f"Expressions without a time zone are in {timezone}."]
    # ZCML is in UTF-8, whatever the terminal is in.
    sys.stdout.buffer.write(rules_as_zcml(rules, heading).encode())
    for text, _ in said:
        complain(text)
    if not found:
        complain("systemctl lists no timer")
    return 0 if found and all(understood for _, understood in said) else 1


def _of_file(path: Path) -> Timer:
    """The timer of a unit file, whose service is perhaps beside it."""
    if path.suffix != ".timer":
        raise TroubleError(f"{path}: expected a file such as backup.timer")
    text = text_of(str(path))
    service = path.parent / service_of(path.name, text)
    return Timer(
        str(path), path.name, text,
        text_of(str(service)) if os.path.isfile(service) else "")


def _of_unit(unit: str) -> Timer:
    """A timer that systemd knows."""
    text = _systemctl("cat", "--", unit)
    try:
        service = _systemctl("cat", "--", service_of(unit, text))
    except TroubleError:
        # It is not there, and then it cannot be started.
        service = ""
    return Timer(unit, unit, text, service)


def _units() -> list[str]:
    """The names of all timers."""
    out = _systemctl("list-timers", "--all", "--output=json")
    try:
        return sorted(each["unit"] for each in json.loads(out))
    except (KeyError, TypeError, ValueError):
        raise TroubleError(
            "systemctl list-timers --output=json printed no list of timers;"
            " name files of timers") from None


def _systemctl(*arguments: str) -> str:
    """What it prints.

    :raises TroubleError: if it fails.
    """
    try:
        process = subprocess.run(
            ["systemctl", *arguments], stdin=subprocess.DEVNULL,
            capture_output=True, encoding="utf-8", errors="surrogateescape")
    except OSError as error:
        raise TroubleError(
            f"systemctl: {error.strerror}; name files of timers") from None
    if process.returncode:
        reason = process.stderr.strip().split("\n")[-1] or (
            f"exit status {process.returncode}")
        raise TroubleError(f"systemctl: {reason}; name files of timers")
    return process.stdout

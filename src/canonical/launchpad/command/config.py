"""The command ``scriptactivity config``: what is in force, and is it right?"""

from __future__ import annotations

import argparse
import json
import os
import textwrap
from typing import Any

from canonical.config import config
from canonical.config.configfile import Setting
from canonical.config.weburl import is_web_url
from canonical.config.weburl import site_of
from canonical.database.databaseuri import HIDDEN
from canonical.database.databaseuri import hidden
from canonical.launchpad.command.configchecks import Finding
from canonical.launchpad.command.configchecks import diagnose
from canonical.launchpad.command.printing import say
from canonical.launchpad.command.rules import rules_file


__all__ = [
    "show_config",
]


WIDTH = 79


def show_config(args: argparse.Namespace) -> int:
    """Show every value in force and where it comes from, and check them all.

    The exit status is 0, or 2 if something is wrong.
    """
    places = _places()
    settings = [
        (section, key, _shown(section, key, setting))
        for section, key, setting in config.settings()]
    findings = diagnose()
    if args.json:
        print(json.dumps(_as_dict(places, settings, findings), indent=2))
    else:
        _print(places, settings, findings)
    return 2 if any(each.state == "wrong" for each in findings) else 0


def _places() -> dict[str, str]:
    """The files and directories of this instance."""
    rules = rules_file()
    return {
        "file": str(config.file or "none"),
        "rules": str(rules or "none"),
        "state": str(config.state_directory),
        "locks": str(config.path_of("scripts", "lock_directory")),
        "spool": str(config.path_of("scripts", "spool_directory")),
    }


def _shown(section: str, key: str, setting: Setting) -> Setting:
    """A setting without what may be a secret."""
    value = setting.value
    if section == "database":
        value = hidden(value) if value else ""
    elif key.endswith("_url") and is_web_url(value):
        site = site_of(value)
        value = site if value in (site, site[:-1]) else site + HIDDEN
    elif key.endswith("_url") and ("//" in value or "@" in value):
        value = HIDDEN
    return setting._replace(value=value)


def _source(setting: Setting) -> str:
    return f"{setting.source}:{setting.line}" if setting.line \
        else setting.source


def _as_dict(
    places: dict[str, str],
    settings: list[tuple[str, str, Setting]],
    findings: list[Finding],
) -> dict[str, Any]:
    return {
        "places": places,
        "settings": [
            {"section": section, "key": key, "value": setting.value,
             "source": setting.source, "line": setting.line or None}
            for section, key, setting in settings],
        "checks": [each._asdict() for each in findings],
    }


def _print(
    places: dict[str, str],
    settings: list[tuple[str, str, Setting]],
    findings: list[Finding],
) -> None:
    """Print it for people; a path that is too long for a line has its own."""
    for name, path in places.items():
        is_set = name == "state" and os.environ.get("LP_STATE_DIRECTORY")
        say(f"{name:<7}{path}" + "  (LP_STATE_DIRECTORY)" * bool(is_set))
    last = None
    for section, key, setting in settings:
        if section != last:
            say("")
            say(f"[{section}]")
        last = section
        line = f"{key + ':':<20}{setting.value}"
        source = f"({_source(setting)})"
        if len(line) + 2 + len(source) <= WIDTH:
            say(f"{line:<{WIDTH - len(source)}}{source}")
        else:
            say(line)
            say(f"{source:>{WIDTH}}")
    say("")
    for finding in findings:
        lines = textwrap.wrap(
            finding.text, WIDTH - 23, break_long_words=False,
            break_on_hyphens=False)
        start = f"{finding.state:<7}{finding.name:<16}"
        for line in lines:
            say(start + line)
            start = " " * len(start)

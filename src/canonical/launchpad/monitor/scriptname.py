"""The name of the script that a command of a crontab runs, and --names.

`canonical.launchpad.monitor.findscripts` finds the script in the command.  If
the command does not show a name, it is refused: no name is made up.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Sequence
from fnmatch import fnmatchcase

from canonical.launchpad.interfaces import IScriptActivity
from canonical.launchpad.interfaces import checked_text
from canonical.launchpad.monitor.findscripts import SUFFIX
from canonical.launchpad.monitor.findscripts import Script
from canonical.launchpad.monitor.findscripts import only_script


__all__ = [
    "parse_names",
    "script_of",
]


# Of a file of names.  A pattern is hardly longer than a command of cron.
LONGEST_LINE = 10_000


def script_of(
    command: str, names: Sequence[tuple[str, str]] = ()
) -> Script:
    """The script that a command runs.

    :param command: what the shell is given.
    :param names: shell patterns, each with the name for what matches it.  The
        first pattern counts that matches the command, the script's path, its
        basename, or its basename without the suffix.  If none does, the
        name is inferred.
    :raises ValueError: if it cannot be inferred; says why.
    """
    script, trouble = Script("", ""), None
    known = [command]
    try:
        script = only_script(command)
        base = script.path.rpartition("/")[2]
        known += [script.path, base, SUFFIX.sub("", base), script.name]
        if re.search("[$*?]", script.name):
            raise ValueError(f"only the shell knows what {script.name!r} is")
    except ValueError as error:
        trouble = error
    for pattern, given in names:
        if any(fnmatchcase(each, pattern) for each in known):
            return dataclasses.replace(script, name=given)
    if trouble is not None:
        raise trouble
    checked_text(IScriptActivity["name"], script.name)
    return script


def parse_names(text: str) -> list[tuple[str, str]]:
    """The patterns and names of a file for ``crontab --names``.

    :param text: lines with a pattern and a name, quoted as in the shell if
        they have spaces; empty lines and comments.
    :raises ValueError: for anything else; says in which line.
    """
    names = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            if len(line) > LONGEST_LINE:
                raise ValueError(f"longer than {LONGEST_LINE} characters")
            words = shlex.split(line, comments=True)
            if not words:
                continue
            if len(words) != 2:
                raise ValueError("expected a pattern and a name")
            checked_text(IScriptActivity["name"], words[1])
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        names.append((words[0], words[1]))
    return names

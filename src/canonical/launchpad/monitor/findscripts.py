"""Finds the scripts that a command of the shell runs, behind its wrappers.

This is inferred from how people write crontabs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from canonical.launchpad.monitor.programs import ASSIGNMENT
from canonical.launchpad.monitor.programs import FLAGS
from canonical.launchpad.monitor.programs import INTERPRETER
from canonical.launchpad.monitor.programs import KEYWORDS
from canonical.launchpad.monitor.programs import MANY_THINGS
from canonical.launchpad.monitor.programs import PROGRAM
from canonical.launchpad.monitor.programs import RUNNERS
from canonical.launchpad.monitor.programs import SHELL
from canonical.launchpad.monitor.programs import TOOLS
from canonical.launchpad.monitor.programs import VALUED
from canonical.launchpad.monitor.programs import WRAPPERS
from canonical.launchpad.monitor.shellcommand import Word
from canonical.launchpad.monitor.shellcommand import simple_commands


__all__ = [
    "SUFFIX",
    "Script",
    "after_options",
    "only_script",
    "scripts_in",
]


SUFFIX = re.compile(r"(?<=.)\.(?:py|pyc|sh|bash|ksh|zsh|pl|rb|php|js|job)\Z")

# As in: only the first Sunday of a month.
ON_SOME_DAYS = re.compile(
    r"(?:^|[\s;&|(])(?:\[\[?|test)\s[^;&|]*?(?:\$\(|`)\s*date\b")


@dataclass(frozen=True)
class Script:
    """A script that a command runs.

    :ivar path: of its file, or what stands for it.
    :ivar name: that its runs probably have.
    :ivar reports: can it be that it reports its runs?  It is in Python, or it
        is run by ``scriptactivity run``.
    """

    path: str
    name: str
    reports: bool = False


def scripts_in(command: str) -> list[tuple[Script, list[Word]]]:
    """The scripts that a command runs, each with the simple command it is in.

    :raises ValueError: if one of them cannot be inferred.
    """
    found: list[tuple[Script, list[Word]]] = []
    for operator, words in simple_commands(command):
        script = _unwrapped([word.text for word in words])
        # The next in a pipe reads what the script says; the next after "||"
        # is for when it fails.
        if script is None or (found and operator in ("|", "|&", "||")):
            continue
        found.append((script, words))
    return found


def only_script(command: str) -> Script:
    """The one script that is run.

    :raises ValueError: if there is none, or more than one.
    """
    if ON_SOME_DAYS.search(command):
        raise ValueError("the command decides by the date whether it runs")
    found = dict.fromkeys(script for script, _ in scripts_in(command))
    if not found:
        raise ValueError("the command runs no script that has a name")
    if len(found) > 1:
        paths = ", ".join(script.path for script in found)
        raise ValueError(f"more than one script: {paths}")
    return found.popitem()[0]


def _unwrapped(words: list[str]) -> Script | None:
    """The script in a simple command, if it is one."""
    # OpenBSD's and FreeBSD's cron have options before the command.
    while words and (
        words[0] in KEYWORDS or words[0].startswith("-")
        or ASSIGNMENT.match(words[0])
    ):
        words = words[1:]
    if not words:
        return None
    base = words[0].rpartition("/")[2]
    if base in TOOLS:
        return None
    if SHELL.fullmatch(base):
        return _of_shell(words)
    if found := INTERPRETER.fullmatch(base):
        return _of_interpreter(words, bool(found["python"]))
    if base in WRAPPERS:
        return _of_wrapper(words, *WRAPPERS[base])
    if base in RUNNERS:
        return _of_runner(words, *RUNNERS[base])
    if base == "runitor":
        return _unwrapped(words[words.index("--"):] if "--" in words else [])
    if base == PROGRAM:
        return _of_ours(words)
    return _script(words)


def _script(words: list[str], reports: bool = False) -> Script:
    """The script that the first word is the path of."""
    path = words[0]
    base = path.rpartition("/")[2]
    name = SUFFIX.sub("", base)
    if base in MANY_THINGS:
        _, rest = after_options(words, "Cf")
        name = next((
            word for word in rest if not ASSIGNMENT.match(word)), name)
    return Script(path, name, reports or path.endswith((".py", ".pyc")))


def _of_shell(words: list[str]) -> Script | None:
    option, rest = after_options(words, "o", "c")
    if not rest:
        return None
    return only_script(rest[0]) if option else _script(rest)


def _of_interpreter(words: list[str], python: bool) -> Script | None:
    option, rest = after_options(words, "WXId", "cemr")
    if not rest or option not in ("", "m"):
        return None
    if option:
        rest = [rest[0].replace(".", "/"), *rest[1:]]
    return _script(rest, python)


def _of_wrapper(
    words: list[str], valued: str, arguments: int
) -> Script | None:
    base = words[0].rpartition("/")[2]
    takes_text = base in ("flock", "su", "runuser")
    if base in ("su", "runuser") and "-c" in words[:-1]:
        return only_script(words[words.index("-c") + 1])
    # "command -v" only looks where a command is.
    option, rest = after_options(
        words, valued, "vV" if base == "command" else "")
    if option:
        return None
    rest = rest[arguments:]
    if takes_text and rest[:1] == ["-c"] and rest[1:]:
        return only_script(rest[1])
    return _unwrapped(rest)


def _of_runner(
    words: list[str], subcommand: str, valued: str, arguments: int
) -> Script | None:
    _, rest = after_options(words, valued)
    if rest[:1] != [subcommand]:
        return None
    option, rest = after_options(rest, valued, "m")
    rest = rest[arguments:]
    if option and rest:
        return _script([rest[0].replace(".", "/")], True)
    return _unwrapped(rest)


def _of_ours(words: list[str]) -> Script | None:
    """What is wrapped already has its name, the word before ``--``."""
    _, rest = after_options(words, "")
    if rest[:1] != ["run"]:
        return _script(words)
    if "--" not in rest[2:]:
        return None
    name = rest[rest.index("--", 2) - 1]
    return Script(name, name, True)


def after_options(
    words: list[str], valued: str, last: str = ""
) -> tuple[str, list[str]]:
    """The words after a program's options.

    :param valued: the letters of options that take a value.
    :param last: the letters of options that end them, and say what follows.
    :return: the letter of `last` that was met, and the words.
    """
    rest = words[1:]
    long = VALUED - FLAGS.get(words[0].rpartition("/")[2], frozenset())
    while rest and rest[0].startswith("-"):
        word, rest = rest[0], rest[1:]
        if word == "--":
            break
        if word.startswith("--"):
            rest = rest[1:] if word in long else rest
            continue
        for place, letter in enumerate(word[1:], 2):
            if letter in last:
                return letter, rest
            if letter in valued:
                rest = rest[1:] if place == len(word) else rest
                break
    return "", rest

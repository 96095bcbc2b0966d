"""``crontab --wrap``: puts ``scriptactivity run`` before commands.

The words ``scriptactivity run NAME --`` are put directly before the simple
command that runs the script, wherever it is in a command of the shell.  So
tests before it, pipes and redirections stay as they are, and no quotes have to
be added.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from collections.abc import Sequence

from canonical.launchpad.monitor.crontab import LONGEST
from canonical.launchpad.monitor.crontab import Entry
from canonical.launchpad.monitor.crontab import Note
from canonical.launchpad.monitor.findscripts import after_options
from canonical.launchpad.monitor.findscripts import scripts_in
from canonical.launchpad.monitor.programs import ASSIGNMENT
from canonical.launchpad.monitor.programs import BUILTINS
from canonical.launchpad.monitor.programs import KEYWORDS
from canonical.launchpad.monitor.programs import PROGRAM
from canonical.launchpad.monitor.programs import SHELL
from canonical.launchpad.monitor.scriptname import script_of
from canonical.launchpad.monitor.shellcommand import Word
from canonical.launchpad.monitor.shellcommand import simple_commands


__all__ = [
    "add_run",
]


# What a command does before it runs a script, or whether.  All but sleep are
# part of the shell.
PREPARING = frozenset([
    ".", ":", "[", "[[", "cd", "command", "done", "echo", "exit", "export",
    "false", "fi", "printf", "pushd", "read", "set", "shopt", "sleep",
    "source", "test", "trap", "true", "type", "ulimit", "umask", "unset",
    "wait",
])

# A script in one of these may run any number of times.
REPEATING = frozenset([
    "case", "for", "function", "select", "until", "while",
])

# Commands of the shell itself that run another one.
OF_THE_SHELL = frozenset(["command", "exec", "time"])

REBOOT = "@reboot"

# Variables that would change what runs the command.
MEDDLING = ("LD_", "PYTHON")


def add_run(
    text: str,
    items: Sequence[Entry | Note],
    notes: Sequence[Note],
    names: Sequence[tuple[str, str]],
    program: str,
) -> tuple[str, list[Note]]:
    """A crontab with the words added, and notes on lines that stay the same.

    :param text: the crontab.
    :param items: what is in it.
    :param notes: on lines that become no rule.
    :param names: see `script_of`.
    :param program: the path of ``scriptactivity``.
    """
    lines = text.split("\n")
    left = {note.line: note for note in notes if not note.understood}
    entries = [item for item in items if isinstance(item, Entry)]
    # Those that have rules come first.
    entries.sort(key=lambda entry: (
        entry.line in left or entry.schedule == REBOOT, entry.line))
    used = set()
    for entry in entries:
        try:
            name = script_of(entry.command, names).name
            has_rule = entry.line not in left and entry.schedule != REBOOT
            if not has_rule and name in used:
                raise ValueError(
                    f"another line runs {name}, and its runs would be mixed")
            lines[entry.line - 1] = lines[entry.line - 1].replace(
                entry.text, _with_run(entry, name, program), 1)
            left.pop(entry.line, None)
            used.add(name)
        except ValueError as error:
            left.setdefault(entry.line, Note(
                entry.source, entry.line, entry.text, str(error)))
    return "\n".join(lines), [left[number] for number in sorted(left)]


def _with_run(entry: Entry, name: str, program: str) -> str:
    """The line of an entry, with the words added.

    :raises ValueError: if they cannot be; says why.
    """
    shell = entry.environment.get("SHELL", "/bin/sh")
    if SHELL.fullmatch(shell.rpartition("/")[2]) is None:
        raise ValueError(f"its SHELL is {shell}, which may read it otherwise")
    _check_variables(entry.environment)
    if name.startswith("-"):
        raise ValueError(f"{name!r} would be taken for an option")
    words = _words_of_script(entry.command)
    if _is_ours(words):
        return entry.text
    place = _in_line(entry, _first(words).start)
    added = f"{shlex.quote(program)} run {shlex.quote(name)} -- "
    line = (
        entry.text[:place] + added.replace("%", r"\%") + entry.text[place:])
    if len(line.encode(errors="surrogateescape")) > LONGEST:
        raise ValueError(f"it would be longer than {LONGEST} characters")
    return line


def _check_variables(names: Iterable[str]) -> None:
    for name in names:
        if name.startswith(MEDDLING):
            raise ValueError(
                f"{name.partition('=')[0]} would change {PROGRAM} too")


def _words_of_script(command: str) -> list[Word]:
    """The simple command in which the script is run.

    :raises ValueError: if it is not known, or runs more than once.
    """
    simple = [words for _, words in simple_commands(command) if words]
    if any(REPEATING & set(_beginning(words)) for words in simple):
        raise ValueError("it may run any number of times")
    for words in simple:
        if _is_preparing(words):
            _check_variables(
                word.text for word in words if ASSIGNMENT.match(word.text))
    try:
        found = [words for _, words in scripts_in(command)]
    except ValueError:
        found = []
    found = found or [
        words for words in simple if not _is_preparing(words)]
    if len(found) != 1:
        raise ValueError(
            "only a part of it could be wrapped; put it into a script of its"
            " own, and wrap that")
    return found[0]


def _beginning(words: list[Word]) -> list[str]:
    """The words of a simple command up to that of a program."""
    texts = [word.text for word in words]
    for index, text in enumerate(texts):
        if text not in KEYWORDS and not ASSIGNMENT.match(text):
            return texts[:index + 1]
    return texts


def _is_preparing(words: list[Word]) -> bool:
    last = _beginning(words)[-1]
    return last in KEYWORDS or ASSIGNMENT.match(last) is not None or (
        last.rpartition("/")[2] in PREPARING)


def _is_ours(words: list[Word]) -> bool:
    """Does it have the words already?"""
    texts = [word.text for word in words]
    return "run" in texts and any(
        text.rpartition("/")[2] == PROGRAM for text in texts)


def _first(words: list[Word]) -> Word:
    """The word that the added ones come before.

    They come after what only the shell understands.  They also come after
    flock(1), so that a run that finds its lock held is none, and has not
    failed.

    :raises ValueError: if there is no such word.
    """
    rest = words
    while rest:
        word = rest[0].text
        if ASSIGNMENT.match(word):
            _check_variables([word])
        elif word in OF_THE_SHELL:
            if rest[1:] and rest[1].text.startswith("-"):
                raise ValueError(f"{word} has options")
        elif word.rpartition("/")[2] == "flock":
            texts = [each.text for each in rest]
            # After its options and the lock.
            after = after_options(texts, "wE")[1][1:]
            if not after or after[0].startswith("-"):
                return rest[0]
            rest = rest[len(rest) - len(after):]
            continue
        # OpenBSD's and FreeBSD's cron have options before the command.
        elif word not in KEYWORDS and not word.startswith("-"):
            if word in BUILTINS or word.startswith("$") and "/" not in word:
                raise ValueError(f"{word!r} may be part of the shell")
            return rest[0]
        rest = rest[1:]
    raise ValueError("no command")


def _in_line(entry: Entry, place: int) -> int:
    r"""Where in the line of an entry a place of its command is.

    There ``%`` is written ``\%``.
    """
    place += entry.place
    for found in re.finditer(r"\\%", entry.text[entry.place:]):
        if entry.place + found.start() < place:
            place += 1
    return place

"""Crontabs whose commands are run by ``scriptactivity run``.

The words ``scriptactivity run NAME --`` are put before the simple command that
runs the script, wherever that is in a command of the shell.  So tests before
it, pipes and redirections stay what they are, and nothing has to be quoted
anew.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from collections.abc import Sequence

from canonical.launchpad.monitor.crontab import LONGEST
from canonical.launchpad.monitor.crontab import Entry
from canonical.launchpad.monitor.crontab import Note
from canonical.launchpad.monitor.programs import ASSIGNMENT
from canonical.launchpad.monitor.programs import KEYWORDS
from canonical.launchpad.monitor.programs import PROGRAM
from canonical.launchpad.monitor.programs import SHELL
from canonical.launchpad.monitor.scriptname import script_of
from canonical.launchpad.monitor.shellcommand import Word
from canonical.launchpad.monitor.shellcommand import simple_commands
from canonical.launchpad.monitor.wrappers import after_options
from canonical.launchpad.monitor.wrappers import scripts_in


__all__ = [
    "add_run",
]


# What a command does before it runs a script, or whether.  All but sleep are
# part of the shell.
PREPARING = frozenset([
    ".", ":", "[", "[[", "cd", "command", "echo", "exit", "export", "false",
    "printf", "pushd", "read", "set", "shopt", "sleep", "source", "test",
    "trap", "true", "type", "ulimit", "umask", "unset", "wait",
])

# A script in one of these may run any number of times.
REPEATING = frozenset([
    "case", "for", "function", "select", "until", "while",
])

# Commands of the shell itself that run another one.
OF_THE_SHELL = frozenset(["command", "exec", "time"])

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
    scheduled = {
        script_of(item.command, names).name for item in items
        if isinstance(item, Entry) and item.line not in left
        and item.schedule != "@reboot"}
    for item in items:
        if isinstance(item, Note) or item.line in left:
            continue
        try:
            name = script_of(item.command, names).name
            if item.schedule == "@reboot" and name in scheduled:
                raise ValueError(
                    f"{name} has a rule, and a run when cron starts would"
                    " count for it")
            line = lines[item.line - 1]
            lines[item.line - 1] = line.replace(
                item.text, _with_run(item, name, program), 1)
        except ValueError as error:
            left[item.line] = Note(
                item.source, item.line, item.text, str(error))
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
    if any(_is_ours(words, index) for index in range(len(words))):
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
            raise ValueError(f"{name} would change {PROGRAM} too")


def _words_of_script(command: str) -> list[Word]:
    """The simple command in which the script is run.

    :raises ValueError: if it is not known, or runs more than once.
    """
    simple = [words for _, words in simple_commands(command) if words]
    if any(words[0].text in REPEATING for words in simple):
        raise ValueError("it may run any number of times")
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


def _is_preparing(words: list[Word]) -> bool:
    rest = [
        word.text for word in words
        if word.text not in KEYWORDS and not ASSIGNMENT.match(word.text)]
    return not rest or (
        rest[0].rpartition("/")[2] in PREPARING or rest[0] in ("fi", "done"))


def _is_ours(words: list[Word], index: int) -> bool:
    return words[index].text.rpartition("/")[2] == PROGRAM and (
        [word.text for word in words[index + 1:index + 2]] == ["run"])


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
            _check_variables([word.partition("=")[0]])
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

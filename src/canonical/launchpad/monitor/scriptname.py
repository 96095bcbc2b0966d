"""The name of the script that a command of a crontab runs.

It is inferred from how people write crontabs.  A command from which it cannot
be inferred is refused; no name is made up.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from collections.abc import Sequence
from fnmatch import fnmatchcase

from canonical.launchpad.interfaces import IScriptActivity
from canonical.launchpad.interfaces import checked_text


__all__ = [
    "is_known_command",
    "parse_names",
    "script_name",
]


# Words of the shell that a command may follow.
KEYWORDS = frozenset([
    "!", "{", "}", "if", "then", "elif", "else", "while", "until", "do",
])

# Commands that are no scripts: they prepare for one, test, report or clean up;
# or they run something elsewhere, or many things.
TOOLS = frozenset([
    ".", ":", "[", "[[", "awk", "case", "cat", "cd", "chmod", "chown", "cp",
    "curl", "date", "docker", "done", "echo", "esac", "exit", "export",
    "false", "fi", "find", "for", "grep", "gzip", "head", "hostname", "kill",
    "killall", "kubectl", "ln", "logger", "mail", "mailx", "mkdir", "mv",
    "pgrep", "pidof", "pkill", "podman", "printf", "rm", "rsync", "run-parts",
    "sed", "sendmail", "set", "sleep", "sort", "source", "ssh", "tail", "tar",
    "tee", "test", "touch", "trap", "true", "ts", "ulimit", "umask", "unset",
    "wait", "wget", "which", "xargs", "yes",
])

# Commands that run another command: their short options that take a value,
# and how many arguments of their own come before that command.
WRAPPERS = {
    "chronic": ("", 0),
    "command": ("", 0),
    "cronic": ("", 0),
    "doas": ("uC", 0),
    "env": ("uC", 0),
    "exec": ("a", 0),
    "flock": ("wE", 1),
    "instance": ("", 1),
    "ionice": ("cn", 0),
    "nice": ("n", 0),
    "nohup": ("", 0),
    "run-one": ("", 0),
    "runuser": ("ugG", 0),
    "setsid": ("", 0),
    "stdbuf": ("ioe", 0),
    "su": ("gGs", 1),
    "sudo": ("CDghpRrTtUu", 0),
    "systemd-cat": ("tp", 0),
    "taskset": ("", 1),
    "time": ("fo", 0),
    "timeout": ("ks", 1),
    "zopectl": ("C", 1),
}

# Their long options that take a value as a word of its own.
VALUED = frozenset([
    "--adjustment", "--chdir", "--class", "--classdata",
    "--conflict-exit-code", "--group", "--identifier", "--kill-after",
    "--priority", "--signal", "--timeout", "--unset", "--user", "--wait",
])

SHELL = re.compile("(?:ba|da|k|z)?sh")

INTERPRETER = re.compile(r"(?:python|pypy|perl|ruby|php|node)[\d.]*|"
                         "py|zopepy|run")

ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")

SUFFIX = re.compile(r"(?<=.)\.(?:py|pyc|sh|bash|ksh|zsh|pl|rb|php|js|job)\Z")

PUNCTUATION = "();<>|&"

# What the shell puts in the place of a command's output.
SUBSTITUTION = re.compile(r"\$\((?:[^()]|\([^()]*\))*\)|`[^`]*`")

# As in: only the first Sunday of a month.
ON_SOME_DAYS = re.compile(
    r"(?:^|[\s;&|(])(?:\[\[?|test)\s[^;&|]*?(?:\$\(|`)\s*date\b")


def script_name(command: str, names: Sequence[tuple[str, str]] = ()) -> str:
    """The name of the script that a command runs.

    :param command: what the shell is given.
    :param names: shell patterns, each with the name for what matches it.  The
        first pattern counts that matches the command, the script's path, its
        basename, or its basename without the suffix.  If none does, the
        latter is the name.
    :raises ValueError: if it cannot be inferred; says why.
    """
    known = [command]
    trouble = None
    try:
        path = _script(command)
        base = path.rpartition("/")[2]
        name = SUFFIX.sub("", base)
        known += [path, base, name]
        if re.search("[$*?]", base):
            raise ValueError(f"only the shell knows what {base!r} is")
    except ValueError as error:
        trouble = error
    for pattern, given in names:
        if any(fnmatchcase(each, pattern) for each in known):
            return given
    if trouble is not None:
        raise trouble
    return checked_text(IScriptActivity["name"], name)


def parse_names(text: str) -> list[tuple[str, str]]:
    """The patterns and names of a file for ``crontab --names``.

    :param text: lines with a pattern and a name, quoted as in the shell if
        they have spaces; empty lines and comments.
    :raises ValueError: for anything else; says in which line.
    """
    names = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
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


def is_known_command(word: str) -> bool:
    """Is it a command that crontabs run scripts with?"""
    base = word.rpartition("/")[2]
    return bool(
        base in TOOLS or base in WRAPPERS or word in KEYWORDS
        or SHELL.fullmatch(base) or INTERPRETER.fullmatch(base))


def _script(command: str) -> str:
    """The path of the one script that is run.

    :raises ValueError: if there is none, or more than one.
    """
    if ON_SOME_DAYS.search(command):
        raise ValueError("the command decides by the date whether it runs")
    found: list[str] = []
    for operator, words in _simple_commands(command):
        path = _unwrapped(words)
        # The next in a pipe reads what the script says; the next after "||"
        # is for when it fails.
        if path is None or (found and operator in ("|", "|&", "||")):
            continue
        if path not in found:
            found.append(path)
    if not found:
        raise ValueError("the command runs no script that has a name")
    if len(found) > 1:
        raise ValueError(f"more than one script: {', '.join(found)}")
    return found[0]


def _simple_commands(command: str) -> Iterator[tuple[str, list[str]]]:
    """The operator before each simple command, and its words."""
    lexer = shlex.shlex(
        SUBSTITUTION.sub("$", command), posix=True,
        punctuation_chars=PUNCTUATION)
    lexer.whitespace_split = True
    lexer.commenters = ""
    operator = ""
    words: list[str] = []
    for token in _tokens(lexer):
        if token.startswith("#"):
            break
        if not token or token.strip(PUNCTUATION):
            words.append(token)
        elif "<" in token or ">" in token:
            # A redirection, which is no word of the command.
            lexer.get_token()
            if words and words[-1].isdigit():
                words.pop()
        else:
            yield operator, words
            operator, words = token.strip("()"), []
    yield operator, words


def _tokens(lexer: shlex.shlex) -> Iterator[str]:
    try:
        yield from lexer
    except ValueError:
        raise ValueError("a quote is not closed") from None


def _unwrapped(words: list[str]) -> str | None:
    """The path of the script in a simple command, if it is one."""
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
    if INTERPRETER.fullmatch(base):
        return _of_interpreter(words)
    if base in WRAPPERS:
        return _of_wrapper(words, *WRAPPERS[base])
    return words[0]


def _of_shell(words: list[str]) -> str | None:
    option, rest = _after_options(words, "o", "c")
    if not rest:
        return None
    return _script(rest[0]) if option else rest[0]


def _of_interpreter(words: list[str]) -> str | None:
    option, rest = _after_options(words, "WXId", "cemr")
    if not rest or option not in ("", "m"):
        return None
    return rest[0].replace(".", "/") if option else rest[0]


def _of_wrapper(words: list[str], valued: str, arguments: int) -> str | None:
    base = words[0].rpartition("/")[2]
    takes_text = base in ("flock", "su", "runuser")
    if base in ("su", "runuser") and "-c" in words[:-1]:
        return _script(words[words.index("-c") + 1])
    _, rest = _after_options(words, valued)
    rest = rest[arguments:]
    if takes_text and rest[:1] == ["-c"] and rest[1:]:
        return _script(rest[1])
    return _unwrapped(rest)


def _after_options(
    words: list[str], valued: str, last: str = ""
) -> tuple[str, list[str]]:
    """The words after a program's options.

    :param valued: the letters of options that take a value.
    :param last: the letters of options that end them, and say what follows.
    :return: the letter of `last` that was met, and the words.
    """
    rest = words[1:]
    while rest and rest[0].startswith("-"):
        word, rest = rest[0], rest[1:]
        if word == "--":
            break
        if word.startswith("--"):
            rest = rest[1:] if word in VALUED else rest
            continue
        for place, letter in enumerate(word[1:], 2):
            if letter in last:
                return letter, rest
            if letter in valued:
                rest = rest[1:] if place == len(word) else rest
                break
    return "", rest

"""The scripts that a command of the shell runs, seen through its wrappers.

They are inferred from how people write crontabs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from canonical.launchpad.monitor.shellcommand import Word
from canonical.launchpad.monitor.shellcommand import simple_commands


__all__ = [
    "ASSIGNMENT",
    "KEYWORDS",
    "PROGRAM",
    "SUFFIX",
    "Script",
    "is_known_command",
    "only_script",
    "scripts_in",
]


# The command that runs any command; see `canonical.launchpad.command.run`.
PROGRAM = "scriptactivity"


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
    "caffeinate": ("tw", 0),
    "chpst": ("uUbenlLmopfcrt/C", 0),
    "chronic": ("", 0),
    "command": ("", 0),
    "cronic": ("", 0),
    "doas": ("uC", 0),
    "env": ("uC", 0),
    "envdir": ("", 1),
    "exec": ("a", 0),
    "flock": ("wE", 1),
    "gosu": ("", 1),
    "instance": ("", 1),
    "invoke-rc.d": ("", 0),
    "ionice": ("cn", 0),
    "nice": ("n", 0),
    "nocache": ("n", 0),
    "nohup": ("", 0),
    "run-one": ("", 0),
    "runuser": ("ugG", 0),
    "s6-envdir": ("", 1),
    "s6-setuidgid": ("", 1),
    "setlock": ("", 1),
    "setsid": ("", 0),
    "setuser": ("", 1),
    "stdbuf": ("ioe", 0),
    "su": ("gGs", 1),
    "su-exec": ("", 1),
    "sudo": ("CDghpRrTtUu", 0),
    "systemd-cat": ("tp", 0),
    "systemd-run": ("EHMpu", 0),
    "taskset": ("", 1),
    "time": ("fo", 0),
    "timeout": ("ks", 1),
    "zopectl": ("C", 1),
}

# Those that do it with a subcommand: which, and the same of it.
RUNNERS = {
    "bundle": ("exec", "", 0),
    "cronitor": ("exec", "", 1),
    "pipenv": ("run", "", 0),
    "poetry": ("run", "CP", 0),
    "uv": ("run", "Cp", 0),
}

# Their long options that take a value as a word of its own.
VALUED = frozenset([
    "--adjustment", "--chdir", "--class", "--classdata",
    "--conflict-exit-code", "--directory", "--env-file", "--extra", "--gid",
    "--group", "--identifier", "--kill-after", "--ok", "--package",
    "--priority", "--project", "--property", "--python", "--rakefile",
    "--setenv", "--settings", "--signal", "--slice", "--timeout", "--uid",
    "--unit", "--unset", "--user", "--wait", "--with", "--working-directory",
])

# Programs that do many things: the subcommand says which.
MANY_THINGS = frozenset([
    "artisan", "console", "django-admin", "mailman", "manage.py", "rake",
])

SHELL = re.compile("(?:ba|da|k|z)?sh")

INTERPRETER = re.compile(
    r"(?P<python>(?:python|pypy)[\d.]*|py|zopepy|run)|"
    r"(?:perl|ruby|php|node)[\d.]*")

ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")

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


def is_known_command(word: str) -> bool:
    """Is it a command that crontabs run scripts with?"""
    base = word.rpartition("/")[2]
    return bool(
        base in TOOLS or base in WRAPPERS or base in RUNNERS
        or base in MANY_THINGS or base in (PROGRAM, "runitor")
        or word in KEYWORDS or SHELL.fullmatch(base)
        or INTERPRETER.fullmatch(base))


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
        _, rest = _after_options(words, "Cf")
        name = next((
            word for word in rest if not ASSIGNMENT.match(word)), name)
    return Script(path, name, reports or path.endswith((".py", ".pyc")))


def _of_shell(words: list[str]) -> Script | None:
    option, rest = _after_options(words, "o", "c")
    if not rest:
        return None
    return only_script(rest[0]) if option else _script(rest)


def _of_interpreter(words: list[str], python: bool) -> Script | None:
    option, rest = _after_options(words, "WXId", "cemr")
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
    option, rest = _after_options(
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
    _, rest = _after_options(words, valued)
    if rest[:1] != [subcommand]:
        return None
    option, rest = _after_options(rest, valued, "m")
    rest = rest[arguments:]
    if option and rest:
        return _script([rest[0].replace(".", "/")], True)
    return _unwrapped(rest)


def _of_ours(words: list[str]) -> Script | None:
    """What is wrapped already has its name."""
    if words[1:2] != ["run"]:
        return _script(words)
    _, rest = _after_options(words[1:], "")
    return Script(rest[0], rest[0], True) if rest else None


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

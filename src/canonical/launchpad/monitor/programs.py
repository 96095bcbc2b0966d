"""Programs in crontabs that are no scripts, such as ``nice`` and ``flock``."""

from __future__ import annotations

import re


__all__ = [
    "ASSIGNMENT",
    "BUILTINS",
    "FLAGS",
    "INTERPRETER",
    "KEYWORDS",
    "MANY_THINGS",
    "PROGRAM",
    "RUNNERS",
    "SHELL",
    "TOOLS",
    "VALUED",
    "WRAPPERS",
    "is_known_command",
]


# The command that runs any command; see `canonical.launchpad.command.run`.
PROGRAM = "scriptactivity"

# Words of the shell that a command may follow.
KEYWORDS = frozenset([
    "!", "{", "}", "if", "then", "elif", "else", "while", "until", "do",
])

# What is part of the shell, and runs no script.
BUILTINS = frozenset([
    ".", ":", "[", "[[", "alias", "builtin", "case", "cd", "coproc", "declare",
    "done", "echo", "esac", "eval", "exit", "export", "false", "fi", "for",
    "function", "local", "nocorrect", "noglob", "popd", "printf", "pushd",
    "read", "return", "select", "set", "shift", "shopt", "source", "test",
    "trap", "true", "type", "ulimit", "umask", "unset", "wait",
])

# Commands that are no scripts: they prepare for one, test, report or clean up;
# or they run something elsewhere, or many things.
TOOLS = BUILTINS | frozenset([
    "awk", "cat", "chmod", "chown", "cp", "curl", "date", "docker", "find",
    "grep", "gzip", "head", "hostname", "kill", "killall", "kubectl", "ln",
    "logger", "mail", "mailx", "mkdir", "mv", "pgrep", "pidof", "pkill",
    "podman", "rm", "rsync", "run-parts", "sed", "sendmail", "sleep", "sort",
    "ssh", "tail", "tar", "tee", "touch", "ts", "wget", "which", "xargs",
    "yes",
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
    "--adjustment", "--chdir", "--class", "--classdata", "--config",
    "--conflict-exit-code", "--directory", "--env", "--env-file", "--gid",
    "--group", "--identifier", "--kill-after", "--ok", "--package",
    "--priority", "--project", "--property", "--python", "--rakefile",
    "--setenv", "--settings", "--signal", "--slice", "--timeout", "--uid",
    "--unit", "--unset", "--user", "--wait", "--with", "--working-directory",
])

# Of these, those that take none in some of them.
FLAGS = {"systemd-run": frozenset(["--user", "--wait"])}

# Programs that do many things: the subcommand says which.
MANY_THINGS = frozenset([
    "artisan", "console", "django-admin", "mailman", "manage.py", "rake",
])

SHELL = re.compile("(?:a|ba|da|k|mk|z)?sh")

INTERPRETER = re.compile(
    r"(?P<python>(?:python|pypy)[\d.]*|py|zopepy|run)|"
    r"(?:perl|ruby|php|node)[\d.]*")

ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


def is_known_command(word: str) -> bool:
    """Is it a command that crontabs run scripts with?"""
    base = word.rpartition("/")[2]
    return bool(
        base in TOOLS or base in WRAPPERS or base in RUNNERS
        or base in (PROGRAM, "runitor")
        or word in KEYWORDS or SHELL.fullmatch(base)
        or INTERPRETER.fullmatch(base))

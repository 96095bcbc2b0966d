"""Finds the configuration file and the state directory of this process."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from canonical.config.configfile import ConfigError
from canonical.config.configfile import without_quotes


__all__ = [
    "FILE_NAME",
    "SYSTEM",
    "checkout",
    "default_instance",
    "find_instance",
    "shipped_instances",
    "state_home",
    "user_directory",
]


HERE = Path(__file__).resolve().parent
INSTANCES = HERE / "instances"
CHECKOUT = HERE.parents[2]
FILE_NAME = "scriptactivity.conf"
SYSTEM = Path("/etc/scriptactivity")


def checkout() -> Path | None:
    """The checkout that this package is in, or `None` if it is installed."""
    return CHECKOUT if (CHECKOUT / "buildout.cfg").exists() else None


def shipped_instances() -> list[str]:
    """The instances that LPCONFIG can name without a path."""
    return sorted(entry.name for entry in INSTANCES.iterdir())


def user_directory() -> Path:
    """The directory of the user's configuration file.  It may be missing.

    See the XDG Base Directory Specification.
    """
    return _base_directory("XDG_CONFIG_HOME", ".config") / "scriptactivity"


def state_home() -> Path:
    """The directory that holds the state directories of this user."""
    if checkout() is not None:
        return CHECKOUT / "var"
    return _base_directory("XDG_STATE_HOME", ".local/state") / "scriptactivity"


def _base_directory(variable: str, default: str) -> Path:
    """The directory that a variable names, or one below the home directory.

    The specification says to ignore a relative path.  platformdirs has the
    same rules, but every script would wait for its import.
    """
    named = os.environ.get(variable, "")
    return Path(named) if os.path.isabs(named) else _home() / default


def _home() -> Path:
    """The user's home directory.

    Some cron daemons do not set HOME.  Then the password database says which
    it is; for a user who is not in it, it is Debian's for users without one.
    """
    if home := os.environ.get("HOME"):
        return Path(home)
    try:
        return Path(pwd.getpwuid(os.geteuid()).pw_dir)
    except KeyError:
        return Path("/nonexistent")


def default_instance() -> str | None:
    """The instance of a process without LPCONFIG.

    :return: the user's directory if it has a configuration file, else the
        system's directory if it has one.  Without either, ``development`` in
        a checkout, and `None` for an installed package.
    """
    for directory in user_directory(), SYSTEM:
        # A directory that this user cannot enter counts as missing.
        if os.path.lexists(directory / FILE_NAME):
            return str(directory)
    return "development" if checkout() is not None else None


def find_instance(name: str, named_by: str) -> Path:
    """The configuration file that `name`, as in LPCONFIG, stands for.

    :param named_by: LPCONFIG, or the option that gave the name.
    :raises ConfigError: if there is no such file.
    """
    if name in shipped_instances():
        return INSTANCES / name / FILE_NAME
    try:
        path = Path(name).expanduser().absolute()
        if path.is_dir() and os.path.lexists(path / FILE_NAME):
            return path / FILE_NAME
        if path.is_file():
            return path
        if path.is_dir():
            # It is not there, or this user cannot enter the directory.
            os.lstat(path / FILE_NAME)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"{named_by}: no instance {name!r}: {without_quotes(error)}"
        ) from None
    if "/" in name:
        what = "not a regular file" if path.exists() else "no such file"
        raise ConfigError(f"{named_by}: {what}: {str(path)!r}")
    raise ConfigError(
        f"{named_by}: no instance {name!r}: it is neither shipped"
        f" ({', '.join(shipped_instances())}), nor a file {str(path)!r},"
        f" nor a directory with a {FILE_NAME} in it"
    )

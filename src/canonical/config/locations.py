"""Where the configuration file of this process is looked for."""

from __future__ import annotations

import os
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
    """The names that LPCONFIG may have without being a path."""
    return sorted(entry.name for entry in INSTANCES.iterdir())


def user_directory() -> Path:
    """Where a user's own configuration file is, if there is one.

    That is below HOME.  If that is missing or empty, as under some of cron's
    relatives, it is below the home that the password database says.
    """
    # Slow to import, for those who have LPCONFIG.
    import platformdirs
    return platformdirs.user_config_path("scriptactivity", appauthor=False)


def state_home() -> Path:
    """Below which the instances of this user keep files of their own."""
    if checkout() is not None:
        return CHECKOUT / "var"
    import platformdirs
    return platformdirs.user_state_path("scriptactivity", appauthor=False)


def default_instance() -> str | None:
    """The instance of a process that names none, as LPCONFIG would.

    :return: the first directory with a file, of the user's and then of the
        system's; or in a checkout ``development``, and else `None`.
    """
    for directory in user_directory(), SYSTEM:
        # A directory that this user cannot enter is not this user's.
        if os.path.lexists(directory / FILE_NAME):
            return str(directory)
    return "development" if checkout() is not None else None


def find_instance(name: str, named_by: str) -> Path:
    """The configuration file that an LPCONFIG of `name` stands for.

    :param named_by: LPCONFIG, or what else has named it.
    :raises ConfigError: if there is none.
    """
    if name in shipped_instances():
        return INSTANCES / name / FILE_NAME
    try:
        path = Path(name).expanduser().absolute()
        if path.is_dir() and os.path.lexists(path / FILE_NAME):
            return path / FILE_NAME
        if path.is_file():
            return path
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"{named_by}: no instance {name!r}: {without_quotes(error)}"
        ) from None
    raise ConfigError(
        f"{named_by}: no instance {name!r}: it is neither shipped"
        f" ({', '.join(shipped_instances())}), nor a file {str(path)!r},"
        f" nor a directory with a {FILE_NAME} in it"
    )

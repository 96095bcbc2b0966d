"""The command ``scriptactivity init``: tables, grants, configuration."""

from __future__ import annotations

import argparse
import os
import pwd
import shlex
import sys
from pathlib import Path

import canonical.launchpad
from canonical.config import ConfigError
from canonical.config import config
from canonical.config.configfile import read_file
from canonical.config.locations import FILE_NAME
from canonical.config.locations import SYSTEM
from canonical.config.locations import checkout
from canonical.config.locations import user_directory
from canonical.database.databaseuri import has_password
from canonical.database.databaseuri import hidden
from canonical.database.databaseuri import is_embedded
from canonical.database.postgres import apply_schema
from canonical.database.postgres import connect
from canonical.database.postgres import connection_parameters
from canonical.database.postgres import name_of
from canonical.database.postgres import parameters_of
from canonical.database.roles import grant
from canonical.database.roles import missing_rights
from canonical.launchpad.command.printing import complain
from canonical.launchpad.command.printing import say


__all__ = [
    "init",
]


# What cron does not see of the environment, and a configuration is found by.
FOUND_BY = ("LP_STATE_DIRECTORY", "XDG_CONFIG_HOME", "XDG_STATE_HOME")


def init(args: argparse.Namespace) -> int:
    """Make the tables, or bring older ones up to date; no row is lost.

    Up-to-date tables are not locked.  With URI or --embedded, also write a
    configuration file that names this database.
    """
    uri = "embedded:postgresql" if args.embedded else args.uri
    if uri is None:
        if args.system:
            args.parser.error("--system is for URI: it says where to write it")
        _make_tables(connection_parameters(), args.grant)
        return 0
    path = _file_for(args, uri)
    is_new = _write(path, uri)
    try:
        config.setInstance(str(path if args.config else path.parent))
        parameters = parameters_of(uri, "URI")
        _make_tables(parameters, args.grant)
    except BaseException:
        if is_new:
            path.unlink()
        raise
    say(f"{path} names this database.")
    if has_password(uri):
        say("It holds a password, so only its owner can read it.")
    say("")
    say("This line of a crontab runs an example.  Then it is on record: see")
    say('"scriptactivity list".')
    say("")
    say(_cron(path if args.config else None))
    mistake = _why_nothing_is_recorded(parameters)
    if mistake:
        complain(mistake)
        return 1
    if (os.environ.get("LP_DATABASE_URI") or uri) != uri:
        complain("LP_DATABASE_URI is set here, and overrides that file: unset"
                 " it")
    return 0


def _make_tables(
    parameters: dict[str, str], grants: list[tuple[str, str]]
) -> None:
    where = apply_schema(parameters)
    say(f"The tables in {where} are up to date.")
    if not grants:
        return
    connection = connect(parameters)
    try:
        for purpose, role in grants:
            statements = grant(connection, purpose, role)
            for statement in statements:
                say(f"{statement};")
            if not statements:
                say(f"{role} has been granted what {purpose} needs before.")
    finally:
        connection.close()


def _why_nothing_is_recorded(parameters: dict[str, str]) -> str:
    """Why a script could not record its success, or an empty text."""
    connection = connect(parameters)
    try:
        role = connection.info.user
        if missing_rights(connection, "scripts", role):
            return (
                f"{role} may not record runs yet; let the owner of the tables"
                " run: scriptactivity init --grant"
                f" scripts={shlex.quote(role)}")
        with connection, connection.cursor() as cursor:
            cursor.execute("SHOW transaction_read_only")
            if cursor.fetchone() == ("on",):
                return (
                    f"{name_of(connection)} is read-only for {role}, so that"
                    " no run can be recorded in it")
        return ""
    finally:
        connection.close()


def _file_for(args: argparse.Namespace, uri: str) -> Path:
    """Which configuration file to write.

    :raises ConfigError: if it would not be read, or not do.
    """
    if args.system and is_embedded(uri):
        raise ConfigError(
            "--system does not go with a private PostgreSQL, which lets in"
            " one user only; name a database with postgresql://...")
    if args.config:
        named = Path(args.config).expanduser().absolute()
        return named / FILE_NAME if named.is_dir() else named
    path = (SYSTEM if args.system else user_directory()) / FILE_NAME
    if not path.is_absolute():
        raise ConfigError(
            "you have no home directory: set HOME, or name the file to write"
            " with --config FILE")
    if os.environ.get("LPCONFIG"):
        raise ConfigError(
            f"LPCONFIG is set to {os.environ['LPCONFIG']!r}, so {path} would"
            " not be read: unset LPCONFIG, or name the file to write with"
            " --config FILE")
    return path


def _write(path: Path, uri: str) -> bool:
    """Write a configuration file that names a database.

    :return: whether it is new.
    :raises ConfigError: if it cannot be written, or if there is another one.
    """
    mode = 0o600 if has_password(uri) else 0o644
    # All users have to find the system's, whatever the umask of root is.
    umask = os.umask(0o022)
    if path.parent != SYSTEM:
        os.umask(umask)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        _refuse_another(path, uri)
        return False
    except OSError as error:
        raise ConfigError(
            f"cannot write {path}: {error.strerror}") from None
    finally:
        os.umask(umask)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(f"[database]\nuri: {uri}\n")
    except OSError as error:
        # An empty one would be in the way of the next.
        path.unlink()
        raise ConfigError(
            f"cannot write {path}: {error.strerror}") from None
    return True


def _refuse_another(path: Path, uri: str) -> None:
    """Check that a file that is there names the same database.

    :raises ConfigError: if it does not.
    """
    there = read_file(path).get("database", {}).get("uri")
    if there is None or there.value != uri:
        names = f"names {hidden(there.value)}" if there else \
            "names no database"
        raise ConfigError(
            f"{path} is there already and {names}; to change that, put"
            f' "uri: {hidden(uri)}" below its [database], or move the file'
            " away and run this again")


def _cron(file: Path | None) -> str:
    """A line for a crontab, with all in it that cron does not know.

    :param file: of the configuration, if it is not found by itself.
    """
    settings = {
        name: os.environ[name] for name in FOUND_BY if os.environ.get(name)}
    if file is not None:
        settings["LPCONFIG"] = str(file)
    home = os.environ.get("HOME")
    if home and home != _home_for_cron():
        settings["HOME"] = home
    tree = checkout()
    python = sys.executable if tree is None else str(tree / "bin" / "py")
    example = Path(canonical.launchpad.__file__).with_name("examples")
    words = [
        *(f"{name}={shlex.quote(value)}" for name, value in settings.items()),
        shlex.quote(python), shlex.quote(str(example / "hello.py"))]
    # To cron a % is the end of the command.
    return "*/10 * * * * " + " ".join(words).replace("%", r"\%")


def _home_for_cron() -> str | None:
    """What cron sets HOME to; users of containers may have none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        return None

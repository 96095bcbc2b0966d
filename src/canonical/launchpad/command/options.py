"""The options and arguments of the commands.

The build imports this too, to make the man pages.  So it imports nothing that
has to be installed.
"""

from __future__ import annotations

import argparse

from canonical.config.locations import FILE_NAME
from canonical.config.locations import SYSTEM
from canonical.launchpad.command.arguments import duration
from canonical.launchpad.command.arguments import failure_count
from canonical.launchpad.command.arguments import file_name
from canonical.launchpad.command.arguments import file_path
from canonical.launchpad.command.arguments import host_and_script
from canonical.launchpad.command.arguments import minutes
from canonical.launchpad.command.arguments import period
from canonical.launchpad.command.arguments import purpose_and_role
from canonical.launchpad.command.arguments import run_id
from canonical.launchpad.command.arguments import text
from canonical.launchpad.command.arguments import time
from canonical.launchpad.command.arguments import uri


__all__ = [
    "add_alert_options",
    "add_at_option",
    "add_check_options",
    "add_config_file_option",
    "add_config_options",
    "add_expectations_option",
    "add_failures_options",
    "add_init_options",
    "add_kept_options",
    "add_last_options",
    "add_list_options",
    "add_log_options",
    "add_monitor_options",
    "add_names_argument",
    "add_output_options",
    "add_show_options",
    "add_since_option",
    "add_snooze_options",
    "add_tag_option",
]


def add_config_file_option(parser: argparse.ArgumentParser) -> None:
    """Add --config, which all commands take."""
    parser.add_argument(
        "--config", metavar="FILE", type=file_name,
        help="the configuration file, instead of the one that LPCONFIG names"
             " or that is found")


def add_init_options(parser: argparse.ArgumentParser) -> None:
    """Add what `init` takes."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "uri", metavar="URI", nargs="?", type=uri,
        help="the database, such as postgresql://me@db.example.com/app; a"
             " configuration file is written that names it")
    where.add_argument(
        "--embedded", action="store_true",
        help="the same with a private PostgreSQL, started when it is needed")
    parser.add_argument(
        "--system", action="store_true",
        help=f"write {SYSTEM / FILE_NAME}, for all users, instead of the"
             " user's own file")
    parser.add_argument(
        "--grant", metavar="PURPOSE=ROLE", type=purpose_and_role,
        action="append", default=[],
        help="grant a role of the database what it needs to run scripts"
             " (scripts=ROLE), to check and alert too (monitor=ROLE), or to"
             " prune (history=ROLE); may be given several times")


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``config`` takes."""
    parser.add_argument(
        "--json", action="store_true", help="print a JSON object")


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add what most commands take that print a table."""
    parser.add_argument(
        "--json", action="store_true", help="print a JSON array")
    _add_local_option(parser)


def add_list_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``list``, ``running`` and ``alerts`` take."""
    add_tag_option(parser)
    add_output_options(parser)


def add_failures_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``failures`` takes."""
    parser.add_argument(
        "name", metavar="NAME", nargs="?", type=text,
        help="print the failures of this script only")
    parser.add_argument(
        "--host", type=text, help="print the failures on this host only")
    add_tag_option(parser)
    parser.add_argument(
        "--since", metavar="DURATION", type=period,
        help="print what started within this time, such as 12h or 90d;"
             " the default is all")
    parser.add_argument(
        "--limit", metavar="COUNT", type=failure_count, default=100,
        help="print at most this many; the default is 100")
    add_output_options(parser)


def add_kept_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``output`` takes."""
    parser.add_argument(
        "name", metavar="NAME", type=text, help="the script")
    parser.add_argument(
        "--run", metavar="ID", type=run_id,
        help="which run, by its number; the default is the last of which"
             " output is kept")
    add_output_options(parser)


def add_last_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``last`` takes."""
    parser.add_argument(
        "name", metavar="NAME", nargs="?", type=text,
        help="print the last success of this script only")
    parser.add_argument(
        "--host", type=text, help="with NAME, look at this host only")
    add_tag_option(parser, "without NAME, ")
    add_output_options(parser)


def add_show_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``show`` takes."""
    _add_name_or_tag(parser)
    add_expectations_option(parser)
    add_output_options(parser)


def add_check_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``check`` takes."""
    add_names_argument(parser)
    add_expectations_option(parser)
    add_at_option(parser, "check as of this time")
    parser.add_argument(
        "--host", type=text,
        help="leave out what is expected on other hosts")
    add_tag_option(parser)
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--json", action="store_true", help="print a JSON array")
    how.add_argument(
        "--nagios", action="store_true",
        help="print one line, as a plugin of Nagios does")
    how.add_argument(
        "--prometheus", metavar="FILE", nargs="?", const="-", type=text,
        help="print metrics, or put them in FILE for the textfile collector")
    _add_local_option(parser)


def add_alert_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``alert`` takes."""
    add_expectations_option(
        parser, "; name the same file each time: a script without a rule in it"
        " is no longer expected")
    add_tag_option(parser)
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--test", action="store_true",
        help="send a message that is marked as a test through each channel,"
             " and print what each server answered")
    how.add_argument(
        "--dry-run", action="store_true",
        help="print what would be sent, and record nothing")
    add_log_options(parser)


def add_snooze_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``snooze`` takes."""
    _add_name_or_tag(parser)
    parser.add_argument(
        "--for", metavar="DURATION", dest="duration", type=duration,
        required=True, help="for how long, such as 2h; 0s ends it")
    add_expectations_option(parser)
    _add_local_option(parser)


def add_monitor_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``script-monitor`` and ``script-monitor-nagios`` take."""
    parser.add_argument(
        "minutes", metavar="MINUTES", type=minutes,
        help="within which the scripts should have completed")
    parser.add_argument(
        "pairs", metavar="HOST:SCRIPT", nargs="+", type=host_and_script,
        help="a host, and a script that should have completed there")


def _add_local_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--local", action="store_true",
        help="print times in the local time zone; the default is UTC")


def _add_name_or_tag(parser: argparse.ArgumentParser) -> None:
    """Add NAME, and --tag; see `check_name_or_tags`."""
    parser.add_argument(
        "name", metavar="NAME", nargs="?", type=text, help="the script")
    add_tag_option(parser, "instead of NAME, ")


def add_names_argument(parser: argparse.ArgumentParser) -> None:
    """Add NAME, any number of times."""
    parser.add_argument(
        "names", metavar="NAME", nargs="*", type=text,
        help="a script; the default is all scripts")


def add_tag_option(
    parser: argparse.ArgumentParser, when: str = ""
) -> None:
    """Add --tag.

    :param when: when it may be given.
    """
    parser.add_argument(
        "--tag", metavar="TAG", dest="tags", type=text, action="append",
        default=[],
        help=f"{when}only scripts whose rule has this tag; may be given"
             " several times, for scripts with any of the tags")


def add_expectations_option(
    parser: argparse.ArgumentParser, but: str = ""
) -> None:
    """Add --expectations.

    :param but: what else there is to say of it.
    """
    parser.add_argument(
        "--expectations", metavar="FILE", type=file_path,
        help="a rules file (ZCML), instead of the one that [monitor]"
             f" expectations names{but}")


def add_at_option(parser: argparse.ArgumentParser, help: str) -> None:
    """Add --at.

    :param help: what it means.
    """
    parser.add_argument(
        "--at", metavar="TIME", type=time,
        help=f"{help}, such as 2007-02-01T10:00Z; the default is now")


def add_since_option(parser: argparse.ArgumentParser, help: str) -> None:
    """Add --since.

    :param help: what it means.
    """
    parser.add_argument(
        "--since", metavar="DURATION", type=period, default="30d",
        help=f"{help}, such as 12h or 90d; the default is 30d")


def add_log_options(parser: argparse.ArgumentParser) -> None:
    """Add what the commands take that are cron scripts."""
    parser.add_argument(
        "-v", "--verbose", action="count", default=0, help="log more")
    parser.add_argument(
        "-q", "--quiet", action="count", default=0,
        help="log less; may be given several times")
    parser.add_argument(
        "--log-file", metavar="[LEVEL:]FILE", type=file_name,
        help="write the log to this file as well; LEVEL is such as DEBUG")

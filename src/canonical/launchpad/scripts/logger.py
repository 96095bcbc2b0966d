"""The log of a script, and its options."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from canonical.config.timelimit import without_waiting
from canonical.launchpad.plainlog import PlainFormatter


if TYPE_CHECKING:
    # Slow to import.  A script uses one of them, and `run` the other.
    from argparse import ArgumentParser
    from argparse import Namespace
    from optparse import OptionParser
    from optparse import Values


__all__ = [
    "add_logging_options",
    "check_profile",
    "log_to_stderr",
    "profiled",
    "script_logger",
]


LEVELS = {
    name: getattr(logging, name)
    for name in ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
}


class UTCFormatter(PlainFormatter):
    """``2007-02-01 10:00:00 INFO    text``, in UTC."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S")


def is_of_interest(record: logging.LogRecord) -> bool:
    """A filter that drops misleading and superfluous messages.

    When PostgreSQL refuses a commit, `transaction` warns that several
    resources may disagree.  A script has only one store, and the exception
    gives the reason.  zope.configuration logs every file that it reads.
    """
    of_configuration = (
        record.name == "config" and record.levelno < logging.WARNING)
    return not of_configuration and not record.name.startswith("txn.")


def add_logging_options(parser: OptionParser) -> None:
    """Add -v, -q, --log-file and --profile."""
    parser.add_option(
        "-v", "--verbose", action="count", default=0,
        help="say more; may be given several times")
    parser.add_option(
        "-q", "--quiet", action="count", default=0,
        help="say less; may be given several times")
    parser.add_option(
        "--log-file", metavar="[LEVEL:]FILE",
        help="write the log to this file as well; LEVEL is one of"
             f" {', '.join(LEVELS)}")
    parser.add_option(
        "--profile", metavar="FILE",
        help="write statistics of cProfile to this file")


def script_logger(
    parser: OptionParser | ArgumentParser,
    options: Values | Namespace,
    level: int,
) -> logging.Logger:
    """The root logger, with the handlers that the options ask for.

    They replace the handlers of an earlier script in this process.

    :param level: a level of `logging`; the level without -v and -q.
    :raises SystemExit: with status 2, through `parser`, if a level is unknown
        or a file cannot be written.
    """
    level += 10 * (options.quiet - options.verbose)
    level = min(max(level, logging.DEBUG), logging.CRITICAL)
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    handlers[0].setLevel(level)
    if options.log_file is not None:
        file_level, path = _level_and_path(parser, options.log_file, level)
        try:
            with open(path, "ab", opener=without_waiting):
                pass
            handlers.append(_log_file(path, handlers[0]))
        except OSError as error:
            parser.error(f"--log-file: {error.strerror}: {path}")
        handlers[1].setLevel(file_level)
    return _root_logger(handlers)


def _log_file(path: str, other: logging.Handler) -> logging.Handler:
    """Writes to a log file.

    :param other: gets a line, once, if the file cannot be written to.
    """
    # Slow to import.
    from logging.handlers import WatchedFileHandler

    class LogFile(WatchedFileHandler):

        is_broken = False

        def handleError(self, record: logging.LogRecord) -> None:
            error = sys.exception()
            if not isinstance(error, OSError):
                super().handleError(record)
            elif not self.is_broken:
                self.is_broken = True
                other.handle(logging.makeLogRecord({
                    "name": record.name,
                    "levelno": logging.ERROR, "levelname": "ERROR",
                    "msg": f"Cannot write to the log file {path}:"
                           f" {error.strerror}"}))

    return LogFile(path, encoding="utf-8")


def log_to_stderr() -> logging.Logger:
    """The root logger, for what takes no options."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.INFO)
    return _root_logger([handler])


def _root_logger(handlers: Sequence[logging.Handler]) -> logging.Logger:
    """The root logger, with these handlers instead of earlier ones."""
    logger = logging.getLogger()
    for handler in list(logger.handlers):
        if isinstance(handler.formatter, UTCFormatter):
            logger.removeHandler(handler)
            handler.close()
    for handler in handlers:
        handler.setFormatter(UTCFormatter())
        handler.addFilter(is_of_interest)
        logger.addHandler(handler)
    logger.setLevel(min(handler.level for handler in handlers))
    return logger


def check_profile(parser: OptionParser, path: str | None) -> None:
    """Check that statistics can be left in a file, if it has a name.

    :raises SystemExit: with status 2, through `parser`, if not.
    """
    if path is None:
        return
    if not path:
        parser.error("--profile: must not be empty")
    try:
        with open(path, "ab", opener=without_waiting):
            pass
    except OSError as error:
        parser.error(f"--profile: {error.strerror}: {path}")


def _level_and_path(
    parser: OptionParser | ArgumentParser, value: str, level: int
) -> tuple[int, str]:
    """The level and the path in --log-file.  The path may have colons."""
    if not value:
        parser.error("--log-file: must not be empty")
    match = re.fullmatch(r"([A-Za-z]+):(.*)", value, re.DOTALL)
    if match is None:
        return level, value
    name, path = match.groups()
    if name.upper() not in LEVELS:
        parser.error(
            f"--log-file: no level {name!r}; there are {', '.join(LEVELS)}."
            f"  A file of that name is ./{value}")
    if not path:
        parser.error(f"--log-file: there is no file after {value!r}")
    return LEVELS[name.upper()], path


@contextmanager
def profiled(path: str | None, logger: logging.Logger) -> Iterator[None]:
    """Write statistics about the block to the file `path`, if it is given."""
    if not path:
        yield
        return
    from cProfile import Profile
    profile = Profile()
    profile.enable()
    try:
        yield
    finally:
        profile.disable()
        try:
            profile.dump_stats(path)
        except OSError as error:
            logger.error(
                "No profile was written to %s: %s", path, error.strerror)

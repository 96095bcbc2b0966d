"""The log of a script."""

from __future__ import annotations

import logging
import sys
import time


__all__ = [
    "script_logger",
]


class UTCFormatter(logging.Formatter):
    """``2007-02-01 10:00:00 INFO    text``, in UTC."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S")


def not_from_the_second_phase(record: logging.LogRecord) -> bool:
    """Drops what `transaction` logs when PostgreSQL refuses a commit.

    It warns that several resources may disagree, which a script with one
    store has not got; the exception that it raises as well says what is.
    """
    return not record.name.startswith("txn.")


def script_logger(level: int) -> logging.Logger:
    """The root logger, which from now on writes to standard error.

    :param level: of `logging`; what is below is dropped.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(UTCFormatter())
    handler.addFilter(not_from_the_second_phase)
    logger = logging.getLogger()
    logger.setLevel(level)
    logger.addHandler(handler)
    return logger

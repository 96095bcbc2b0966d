"""What goes wrong with a database: in a line, and whether it is final."""

from __future__ import annotations

from psycopg2.errors import ReadOnlySqlTransaction
from storm.exceptions import DataError
from storm.exceptions import IntegrityError
from storm.exceptions import NotSupportedError
from storm.exceptions import ProgrammingError


__all__ = [
    "first_line",
    "is_final",
]


# The database has understood, and says no.  It would say so again.
REFUSED = (
    DataError, IntegrityError, NotSupportedError, ProgrammingError,
    ReadOnlySqlTransaction,
)


def first_line(error: BaseException) -> str:
    """What went wrong, on a line; and what to do, if that is known."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    detail = getattr(getattr(error, "diag", None), "message_detail", None)
    if detail:
        text += f": {' '.join(detail.split())}"
    # Of no use to a script that meets no error.
    from canonical.database.roles import explain
    advice = explain(error)
    return f"{text} ({advice})" if advice else text


def is_final(error: BaseException) -> bool:
    """Would the database say the same if it were asked again?"""
    return isinstance(error, (*REFUSED, TypeError, ValueError))

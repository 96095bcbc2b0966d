"""The text of a database error, and whether trying again can help."""

from __future__ import annotations

from psycopg2.errors import ReadOnlySqlTransaction
from storm.exceptions import DataError
from storm.exceptions import IntegrityError
from storm.exceptions import NotSupportedError
from storm.exceptions import ProgrammingError

from canonical.launchpad.plaintext import shortened


__all__ = [
    "first_line",
    "is_final",
]


# The database refused the statement.  It would refuse it again.
REFUSED = (
    DataError, IntegrityError, NotSupportedError, ProgrammingError,
    ReadOnlySqlTransaction,
)


def first_line(error: BaseException) -> str:
    """The text of an error on one line, with advice if there is any.

    Long words in it are `shortened`.
    """
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, OSError) and text.startswith("[Errno "):
        about = f": {error.filename}" if error.filename else ""
        text = f"{error.strerror}{about}"
    if text.endswith("no message from the libpq"):
        text = "the connection to the database is lost"
    text = shortened(text)
    detail = getattr(getattr(error, "diag", None), "message_detail", None)
    if detail:
        text += f": {' '.join(detail.split())}"
    # Imported late, because most scripts meet no error.
    from canonical.database.roles import explain
    advice = explain(error)
    return f"{text} ({advice})" if advice else text


def is_final(error: BaseException) -> bool:
    """Would the same statement fail again?"""
    return isinstance(error, (*REFUSED, TypeError, ValueError))

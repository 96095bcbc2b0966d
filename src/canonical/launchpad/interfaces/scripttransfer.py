"""Copying runs and attempts out of the database, and into it."""

from __future__ import annotations

from zope.interface import Interface


__all__ = [
    "IScriptTransferSet",
]


class IScriptTransferSet(Interface):
    """Streams runs and attempts by COPY.  A utility."""

    def export(what, form, since, until, file, names=None):
        """Write all rows of a period to a file, in no order.

        Attempts that have not ended are left out, and rows whose times cannot
        be: SQL can write such rows, and they count nowhere.

        :param what: ``runs`` or ``attempts``.
        :param form: ``csv``, with the names of the columns in the first line,
            or ``jsonl``, with an object in each line.
        :param since: an aware datetime, or `None` for the begin.
        :param until: the same for the end; what started then is left out.
        :param file: something with `write`, for bytes.
        :param names: a sequence of scripts, or `None` for all.
        :return: how many rows are left out since their times cannot be.
        """

    def add(what, rows):
        """Add rows that are not on record yet.  The caller commits.

        A row is on record if its `run_key` is, or if a row without a key has
        the same name, host and start, or if it has been pruned.

        :param what: ``runs`` or ``attempts``.
        :param rows: a sequence of tuples with the values of
            `getColumns`; each is a `str`, or `None`.
        :return: the number of added rows.
        """

    def getColumns(what):
        """The names of the columns of runs or attempts, as a tuple."""

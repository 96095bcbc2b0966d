"""Having the last word in a transaction."""

from __future__ import annotations

from collections.abc import Callable

import transaction

from canonical.database.connection import in_transaction
from canonical.database.connection import refuse_failed
from canonical.database.sqlbase import main_store


__all__ = [
    "LastVote",
    "works_alone",
]


class LastVote:
    """A data manager that calls `function` when all others have voted.

    Then nothing can join the transaction any more.  It is committed if
    `function` returns, and no statement has failed in the store ``main``.
    """

    transaction_manager = transaction.manager

    def __init__(self, function: Callable[[], None]):
        self._function = function

    def tpc_vote(self, txn: object) -> None:
        """See `transaction.interfaces.IDataManager`, as for the others."""
        self._function()
        refuse_failed(main_store())

    def sortKey(self) -> str:
        """After all others."""
        return "~"

    def abort(self, txn: object) -> None:
        """There is nothing to undo, nor to do at any other time."""

    tpc_begin = commit = tpc_finish = tpc_abort = abort


def works_alone() -> bool:
    """Is the store ``main`` all that takes part in the transaction?

    With others, one may fail when another has committed already.
    """
    joined = [
        each for each in transaction.get()._resources
        if not isinstance(each, LastVote)]
    return len(joined) == 1 and in_transaction(main_store())

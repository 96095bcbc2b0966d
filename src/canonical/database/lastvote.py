"""A COMMIT with a function that runs as the last step before it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

import transaction
from storm.exceptions import DisconnectionError

from canonical.database.connection import in_transaction
from canonical.database.connection import is_connected
from canonical.database.connection import refuse_failed
from canonical.database.connection import time_limit
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import main_store


__all__ = [
    "commit_with",
    "works_alone",
]


def commit_with(
    ztm: ZopelessTransactionManager,
    function: Callable[[], None],
    seconds: float,
) -> None:
    """Commit, and call `function` as the last step before; see `LastVote`.

    :param seconds: the time limit of the COMMIT; 0 for no limit.
    :raises storm.exceptions.DisconnectionError: if the connection was lost;
        then the work may be committed or not.
    :raises Exception: if the work is not committed.
    """
    transaction.get().join(LastVote(function))
    store = main_store()
    try:
        with time_limit(ztm.cut, seconds) if seconds else nullcontext():
            ztm.commit()
    except Exception as error:
        if isinstance(error, DisconnectionError) or is_connected(store):
            raise
        raise DisconnectionError(str(error)) from error


class LastVote:
    """A data manager that calls `function` after all others have voted.

    After that, nothing can join the transaction.  The transaction is
    committed if `function` returns and no statement of the store ``main`` has
    failed.
    """

    transaction_manager = transaction.manager

    def __init__(self, function: Callable[[], None]):
        self._function = function

    def tpc_vote(self, txn: object) -> None:
        """See `transaction.interfaces.IDataManager`."""
        self._function()
        refuse_failed(main_store())

    def sortKey(self) -> str:
        """Sort after all other data managers."""
        return "~"

    def abort(self, txn: object) -> None:
        """Do nothing, as in all other steps."""

    tpc_begin = commit = tpc_finish = tpc_abort = abort


def works_alone() -> bool:
    """Is the store ``main`` the only one to take part in the transaction?

    With more than one, one could fail after another has committed.
    """
    joined = [
        each for each in transaction.get()._resources
        if not isinstance(each, LastVote)]
    return len(joined) == 1 and in_transaction(main_store())

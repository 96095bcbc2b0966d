"""What becomes of a transaction, asked by its id.

PostgreSQL knows that whatever happens to the process or the connection that
began it.  One thing it does not: when the server crashes, as opposed to when
it is stopped, an id whose transaction left no trace on disk is given again.
"""

from __future__ import annotations

from storm.exceptions import DataError

from canonical.database.connection import in_transaction
from canonical.database.connection import refuse_failed
from canonical.database.sqlbase import main_store


__all__ = [
    "cluster_id",
    "committed",
    "transaction_id",
]


def transaction_id() -> str | None:
    """The id of the current transaction, if it has written anything yet.

    :raises Exception: as `ZopelessTransactionManager.commit` does.
    """
    store = main_store()
    refuse_failed(store)
    store.flush()
    if not in_transaction(store):
        return None
    (written,) = store.execute(
        "SELECT CAST(pg_current_xact_id_if_assigned() AS text)").get_one()
    return None if written is None else str(written)


def cluster_id() -> str:
    """What tells this database cluster from all others.

    A transaction's id means something within its cluster only.
    """
    (identifier,) = main_store().execute(
        "SELECT CAST(system_identifier AS text) FROM pg_control_system()"
    ).get_one()
    return str(identifier)


def committed(transaction_id: str) -> bool | None:
    """Has a transaction been committed?

    :param transaction_id: what `transaction_id` returned for it, here or in
        another process that used the same cluster.
    :return: `None` as long as it is in progress.
    :raises LookupError: if PostgreSQL does not know, because it was very many
        transactions ago, or never.
    """
    try:
        (status,) = main_store().execute(
            "SELECT pg_xact_status(CAST(? AS xid8))", (transaction_id,)
        ).get_one()
    except DataError:
        status = None
    if status is None:
        raise LookupError(f"no transaction {transaction_id} is known")
    return {"committed": True, "aborted": False}.get(status)

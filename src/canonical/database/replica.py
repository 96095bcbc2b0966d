"""How far a replica lags behind its primary."""

from __future__ import annotations

import datetime

from storm.exceptions import OperationalError

from canonical.database.sqlbase import main_store
from canonical.launchpad.plaintext import time_text


__all__ = [
    "LONGEST_LAG",
    "check_lag",
    "replayed_until",
]


# A replica that is further behind knows nothing.
LONGEST_LAG = datetime.timedelta(minutes=10)

# A replica has replayed the last transaction that it has received.  If the
# primary has nothing to commit, that was long ago.  But the primary also sends
# how far its log goes, at least twice in wal_sender_timeout.  A replica that
# has replayed so much was up to date when that was sent.  Only some roles see
# what is sent; the others see null.
REPLAYED = """
    SELECT pg_is_in_recovery(), greatest(
        pg_last_xact_replay_timestamp(), (
            SELECT last_msg_send_time FROM pg_stat_wal_receiver
            WHERE pg_last_wal_replay_lsn() >= latest_end_lsn)),
        EXISTS (
            SELECT FROM pg_stat_wal_receiver
            WHERE pg_last_wal_replay_lsn() >= latest_end_lsn)
"""


def replayed_until(
    now: datetime.datetime,
) -> tuple[datetime.datetime, datetime.timedelta] | None:
    """Up to when the store ``main`` knows everything, if it is a replica.

    :return: that time, and how far the replica is behind, which is zero if it
        has everything that the primary has written; `None` for a primary.
    :raises storm.exceptions.OperationalError: as `check_lag` does.
    """
    is_replica, until, is_current = main_store().execute(REPLAYED).get_one()
    if not is_replica:
        return None
    check_lag(until, now)
    lag = datetime.timedelta() if is_current else max(
        now - until, datetime.timedelta())
    return min(now, until.astimezone(datetime.UTC)), lag


def check_lag(
    until: datetime.datetime | None, now: datetime.datetime
) -> None:
    """Check that a replica has not been left behind.

    :param until: up to when it knows everything; `None` if it knows nothing.
    :raises storm.exceptions.OperationalError: if it is more than `LONGEST_LAG`
        behind.  The text says what to do.
    """
    if until is not None and now - until <= LONGEST_LAG:
        return
    since = "" if until is None else (
        f" since {time_text(until)}")
    raise OperationalError(
        f"the replica in [database] read_uri has replayed nothing{since}: does"
        " it still receive from its primary? see pg_stat_wal_receiver; a role"
        " without pg_read_all_stats cannot see that nothing was written")

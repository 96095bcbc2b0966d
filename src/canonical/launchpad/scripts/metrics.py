"""A metric beside the record, for those who have statsd."""

from __future__ import annotations

import re
from logging import Logger

from canonical.config import config
from canonical.config.timelimit import within


__all__ = [
    "send_duration",
]


# Seconds that all of it may take; it is the look-up of the host that might.
TIMEOUT = 1


def send_duration(name: str, seconds: float, logger: Logger) -> None:
    """Send ``script_activity`` to statsd, if the configuration names one.

    Whatever is wrong with it is logged at DEBUG: a metric that is missing is
    not worth a mail.
    """
    host = config.statsd.host
    if not host:
        return
    stat = (
        f"script_activity,env={_tag(config.statsd.environment)}"
        f",name={_tag(name)}")

    def send() -> None:
        # Slow to import, for those who have no statsd.
        from statsd import StatsClient
        client = StatsClient(
            host, int(config.statsd.port), ipv6=":" in host)
        client.timing(stat, seconds * 1000)
        client.close()

    try:
        within(TIMEOUT, send)
    except (OSError, ValueError) as error:
        logger.debug("No metric was sent to statsd at %s: %s", host, error)


def _tag(value: str) -> str:
    """`value` as a tag of InfluxDB's line protocol.

    By "Special characters" in its documentation, commas, equals signs and
    spaces are escaped.  A colon, a bar or an at sign would end the name for
    statsd, and is replaced.  Characters that are not ASCII are written as
    Python does, since the client sends no others.
    """
    safe = re.sub(r"[:|@]", "_", value)
    ascii_only = safe.encode("ascii", "backslashreplace").decode()
    return re.sub(r"([,= ])", r"\\\1", ascii_only)

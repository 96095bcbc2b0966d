"""Sends the duration of a run to statsd."""

from __future__ import annotations

import re
from logging import Logger

from canonical.config import config
from canonical.config.timelimit import within


__all__ = [
    "send_duration",
]


# How many seconds sending may take.  The look-up of the host may be slow.
TIMEOUT = 1


def send_duration(name: str, seconds: float, logger: Logger) -> None:
    """Send ``script_activity`` to statsd, if the configuration names one.

    An error is logged at DEBUG.  At another level cron would mail it, and a
    missing metric is not worth a mail.
    """
    host = config.statsd.host
    if not host:
        return
    stat = (
        f"script_activity,env={_tag(config.statsd.environment)}"
        f",name={_tag(name)}")

    def send() -> None:
        # statsd is slow to import, and many do not use it.
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

    Commas, equals signs and spaces are escaped; see "Special characters" in
    the documentation of InfluxDB.  A colon, a bar or an at sign, which would
    end the name for statsd, becomes an underscore.  The client sends only
    ASCII, so other characters become escapes of Python.
    """
    safe = re.sub(r"[:|@]", "_", value)
    ascii_only = safe.encode("ascii", "backslashreplace").decode()
    return re.sub(r"([,= ])", r"\\\1", ascii_only)

"""The ways in which a script says that it has failed."""

from __future__ import annotations


__all__ = [
    "LaunchpadScriptFailure",
    "SilentLaunchpadScriptFailure",
    "failure_status",
]


class LaunchpadScriptFailure(Exception):
    """The script has failed, and the text says why; no traceback is needed.

    :cvar exit_status: of the process; a subclass or an instance may have
        another.
    """

    exit_status: int = 1


class SilentLaunchpadScriptFailure(Exception):
    """The script has failed, and has said so itself.

    :param exit_status: of the process.
    """

    def __init__(self, exit_status: int = 1):
        super().__init__(exit_status)
        self.exit_status = exit_status


def failure_status(status: object) -> int:
    """An exit status for a failure that asks for `status`.

    The kernel keeps the last eight bits, and so would take a 256 for success;
    what is not within 1 and 255 becomes 1.
    """
    if isinstance(status, int) and 1 <= status <= 255:
        return int(status)
    return 1

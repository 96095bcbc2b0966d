"""Making test data."""

from canonical.launchpad.testing.factory import LaunchpadObjectFactory


__all__ = [
    "LaunchpadObjectFactory",
]

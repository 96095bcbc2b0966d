"""Layers for zope.testrunner and for benchmarks; child processes of tests."""

from canonical.testing.apart import Apart
from canonical.testing.apart import First
from canonical.testing.layers import LaunchpadZopelessLayer
from canonical.testing.layers import PostgresLayer
from canonical.testing.layers import Short
from canonical.testing.layers import by_owner
from canonical.testing.layers import in_layer


__all__ = [
    "Apart",
    "First",
    "LaunchpadZopelessLayer",
    "PostgresLayer",
    "Short",
    "by_owner",
    "in_layer",
]

"""Layers for zope.testrunner and for benchmarks; child processes of tests."""

from canonical.testing.layers import Apart
from canonical.testing.layers import First
from canonical.testing.layers import LaunchpadZopelessLayer
from canonical.testing.layers import PostgresLayer
from canonical.testing.layers import by_owner
from canonical.testing.layers import in_layer


__all__ = [
    "Apart",
    "First",
    "LaunchpadZopelessLayer",
    "PostgresLayer",
    "by_owner",
    "in_layer",
]

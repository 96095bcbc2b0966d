"""Layers for zope.testrunner."""

from canonical.testing.layers import LaunchpadZopelessLayer
from canonical.testing.layers import PostgresLayer


__all__ = [
    "LaunchpadZopelessLayer",
    "PostgresLayer",
]

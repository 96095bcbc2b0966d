"""Bases of layers whose tests take long."""

from __future__ import annotations


__all__ = [
    "Apart",
    "First",
]


class First:
    """For a layer that takes long: it is run before most others.

    The layer has this base last.  zope.testrunner sorts layers by the names
    of their last bases and their modules.  What is started last should be
    short, or only one processor is busy at the end.
    """


class Apart:
    """For the layer of slow tests, which a process of their own can run.

    The layer has this base first, and then the layer that its tests need.
    That one is set up before, and is not to be set up again by inheritance.
    """

    @classmethod
    def setUp(cls) -> None:
        """Do nothing."""

    @classmethod
    def tearDown(cls) -> None:
        """Do nothing."""

    @classmethod
    def testSetUp(cls) -> None:
        """Do nothing."""

    @classmethod
    def testTearDown(cls) -> None:
        """Do nothing."""

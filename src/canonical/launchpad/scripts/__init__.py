"""What a cron script is made of; see `canonical.launchpad.scripts.base`.

`canonical.launchpad.scripts.run` runs any other command.  `recorded` is for
functions and blocks.

A run is in one of these states.  The label of an arrow is the function that
changes the state, or the event that does::

    begin()         commit()            record()
    ------> begun ----------> committed ----------> recorded
              |                   |                     ^
              |                   | no database         | send_spool()
              |                   +----------> spooled -+
              |                   | killed              |
              |                   +---------------------+ record_runs()
              | fail()
              +----------> failed, killed
              | SIGKILL, a power cut
              +----------> vanished      by endVanished(), of the next run here
    end()
    ------> skipped

The row of the run in ``scriptattempt`` has the state: ``date_committed`` is
set from *committed* on, and ``date_ended`` and ``outcome`` are set at the end
of each path.

``date_committed`` is the proof.  The transaction of the work writes it, as its
last statement.  So the database alone shows whether the work was committed,
even after a crash, a failover, or a COMMIT without an answer.

There is no proof if other stores or data managers take part in the
transaction, since one could fail after another has committed; nor if a script
commits within ``main()`` and leaves nothing uncommitted.  Then only the
record, or a file in the spool, proves the success.  It is lost if the script
is killed before, or if the server loses transactions, as in a failover.
"""

from __future__ import annotations


TYPE_CHECKING = False
if TYPE_CHECKING:
    from canonical.launchpad.scripts.decorator import recorded


__all__ = [
    "recorded",
]


def __getattr__(name: str) -> object:
    # Slow to import, for all that need other modules of this package.
    if name == "recorded":
        from canonical.launchpad.scripts.decorator import recorded
        return recorded
    raise AttributeError(name)

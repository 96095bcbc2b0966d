"""Runs the program ``scriptactivity`` with small batches."""

import sys

from canonical.launchpad.command import transfer
from canonical.launchpad.command.program import scriptactivity


if __name__ == "__main__":
    transfer.BATCH = 100
    sys.exit(scriptactivity())

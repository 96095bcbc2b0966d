"""The command ``serve``, as a process."""

import contextlib
import os
import re
import subprocess

from canonical.launchpad.scripts.tests.runsupport import PROGRAM
from canonical.testing.children import start_python


@contextlib.contextmanager
def pages(*arguments, **environment):
    """Serve the pages meanwhile; the value is their URL."""
    with start_python(
        ["-c", PROGRAM.format(""), "serve", "--listen", "127.0.0.1:0",
         *arguments],
        {**os.environ, **environment}, text=True, stdout=subprocess.PIPE,
    ) as process:
        try:
            line = process.stdout.readline()
            yield re.fullmatch(r"Serving on (http://\S+)/\n", line)[1]
        finally:
            process.terminate()

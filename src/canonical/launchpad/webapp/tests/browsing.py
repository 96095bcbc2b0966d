"""A server of the pages and a browser, for tests; what they need."""

import contextlib
import importlib.util
import shutil
import threading
from pathlib import Path

from waitress import wasyncore
from waitress.server import create_server

from canonical.launchpad.webapp.server import LIMITS


CHROMIUM = shutil.which("chromium")
CHECKOUT = Path(__file__).resolve().parents[5]
AXE = CHECKOUT / ".venv" / "axe-core" / "package" / "axe.min.js"

# What is missing for these tests, or nothing.
MISSING = ", ".join(filter(None, [
    "" if CHROMIUM else "Debian's chromium",
    "" if importlib.util.find_spec("playwright") else "playwright",
    "" if AXE.exists() else "axe-core of npm"]))


class Server:
    """Serves an application on a port of its own, in a thread."""

    def __init__(self, application):
        self.application = application
        self._server = create_server(
            application, host="127.0.0.1", port=0, **LIMITS)
        self.url = f"http://127.0.0.1:{self._server.effective_port}"
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        # Its sockets may be closed while it waits for them.
        with contextlib.suppress(OSError):
            self._server.run()

    def close(self):
        self._server.task_dispatcher.shutdown()
        # The loop ends when it has no sockets any more.
        wasyncore.close_all(self._server._map)
        self._thread.join()
        self.application.registry.keeper.close()


if __name__ == "__main__" and MISSING:
    # `make test-engines` calls this.
    print(f"Left out: tests of the pages in a browser; they need {MISSING}")

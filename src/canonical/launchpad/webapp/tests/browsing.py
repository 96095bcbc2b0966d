"""A server of the pages and a browser, for tests; what they need."""

import importlib.util
import shutil
import threading
from pathlib import Path

from waitress import wasyncore

from canonical.launchpad.webapp.server import listen
from canonical.testing import Apart
from canonical.testing import First
from canonical.testing import LaunchpadZopelessLayer


CHROMIUM = shutil.which("chromium")
CHECKOUT = Path(__file__).resolve().parents[5]
AXE = CHECKOUT / ".venv" / "axe-core" / "package" / "axe.min.js"

# What is missing for these tests, or nothing.
MISSING = ", ".join(filter(None, [
    "" if CHROMIUM else "Debian's chromium",
    "" if importlib.util.find_spec("playwright") else "playwright",
    "" if AXE.exists() else "axe-core of npm"]))


class PagesLayer(Apart, LaunchpadZopelessLayer, First):
    """The pages in a browser, and what looks at all of them."""


class Server:
    """Serves an application on a port of its own, in a thread."""

    def __init__(self, application, **limits):
        self.application = application
        self._server = listen(application, "127.0.0.1", 0, **limits)
        self.url = f"http://127.0.0.1:{self._server.effective_port}"
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()

    def close(self):
        self._server.task_dispatcher.shutdown()
        # In its own thread, which may just accept a connection.  The loop ends
        # when it has no sockets any more.
        self._server.trigger.pull_trigger(
            lambda: wasyncore.close_all(self._server._map))
        self._thread.join()
        self.application.registry.keeper.close()


if __name__ == "__main__" and MISSING:
    # `make test-engines` calls this.
    print(f"Left out: tests of the pages in a browser; they need {MISSING}")

"""What `recorded` records of functions and blocks."""

import asyncio
import logging
import os
import threading
from unittest import mock

import transaction
from zope.component import getUtility

from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.scripts import recorded
from canonical.launchpad.scripts.tests.runsupport import EVER
from canonical.launchpad.scripts.tests.support import ScriptTestCase


class TestRecorded(ScriptTestCase):

    def outcomes(self, name):
        self.ztm.begin()
        return [
            (each.outcome, each.exit_status, each.reason)
            for each in getUtility(IScriptAttemptSet).getAttempts(name, *EVER)]

    def test_function(self):
        @recorded("send")
        def send(number):
            """Sends."""
            return number

        self.assertEqual(3, send(3))
        self.assertEqual(("send", "Sends."), (send.__name__, send.__doc__))
        self.assertEqual([("success", 0, None)], self.outcomes("send"))
        self.assertEqual(
            self.last("send").name, "send")

    def test_failure_passes_through(self):
        error = ValueError("no\nmoney")
        with self.assertRaises(ValueError) as raised, recorded("pay"):
            raise error
        self.assertIs(error, raised.exception)
        self.assertEqual(
            [("failure", 1, "ValueError: no money")], self.outcomes("pay"))
        self.assertIsNone(self.last("pay"))

    def test_exits(self):
        for code in None, 0, 3, "gone":
            with self.assertRaises(SystemExit), recorded("leave"):
                raise SystemExit(code)
        self.assertEqual([
            ("success", 0, None), ("success", 0, None),
            ("failure", 3, "SystemExit: 3"),
            ("failure", 1, "SystemExit: gone")], self.outcomes("leave"))

    def test_interrupt(self):
        with self.assertRaises(KeyboardInterrupt), recorded("long"):
            raise KeyboardInterrupt
        self.assertEqual([("killed", None, "SIGINT")], self.outcomes("long"))

    def test_nested_and_in_threads(self):
        block = recorded("block")

        @recorded("outer")
        def outer():
            with block, block:
                pass

        threads = [threading.Thread(target=outer) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        self.assertEqual([("success", 0, None)] * 4, self.outcomes("outer"))
        self.assertEqual([("success", 0, None)] * 8, self.outcomes("block"))

    def test_coroutine(self):
        @recorded("later")
        async def later(fails):
            await asyncio.sleep(0)
            if fails:
                raise LookupError("nothing")
            return 3

        self.assertEqual(3, asyncio.run(later(False)))
        with self.assertRaises(LookupError):
            asyncio.run(later(True))
        self.assertEqual(
            [("success", 0, None), ("failure", 1, "LookupError: nothing")],
            self.outcomes("later"))

    def test_generator_functions_are_refused(self):
        with self.assertRaisesRegex(TypeError, "generator function"):
            @recorded("stream")
            def stream():
                yield 1

    def test_names_are_checked_at_once(self):
        for name, error in ("", ValueError), ("a\nb", ValueError), (
            b"a", TypeError
        ):
            with self.assertRaises(error):
                recorded(name)

    def test_the_callers_transaction_is_not_touched(self):
        self.ztm.begin()
        store = main_store()
        store.execute("INSERT INTO work VALUES ('mine')")
        current = transaction.get()
        with recorded("beside"):
            self.assertIs(current, transaction.get())
        self.assertIs(store, main_store())
        self.assertIs(current, transaction.get())
        self.assertEqual(
            [("mine",)], store.execute("TABLE work").get_all())
        self.ztm.abort()
        self.assertEqual([], self.work())
        self.assertEqual([("success", 0, None)], self.outcomes("beside"))

    def test_a_transaction_of_the_caller_that_has_failed(self):
        self.ztm.begin()
        with self.assertRaises(Exception):  # noqa: B017
            main_store().execute("SELECT 1/0")
        with recorded("beside"):
            pass
        self.assertEqual([("success", 0, None)], self.outcomes("beside"))

    def test_what_cannot_be_recorded_never_raises(self):
        before = os.environ["LP_DATABASE_URI"]
        self.addCleanup(os.environ.__setitem__, "LP_DATABASE_URI", before)
        os.environ["LP_DATABASE_URI"] = "postgresql:///app?host=/nowhere"
        with self.assertLogs(level=logging.WARNING) as logs:
            with recorded("alone"):
                pass
            with self.assertRaises(LookupError), recorded("alone"):
                raise LookupError
        self.assertEqual(2, len(logs.output), logs.output)
        self.assertIn("It is spooled in", logs.output[0])
        self.assertIn("This run of alone is not on record", logs.output[1])
        self.assertEqual(1, len(list(self.spool.glob("*.json"))))

    def test_no_more_threads(self):
        with mock.patch.object(
            threading.Thread, "start", side_effect=RuntimeError("full")
        ), self.assertLogs(level=logging.WARNING) as logs, recorded("alone"):
            pass
        self.assertIn("is not recorded yet: full.", logs.output[0])

    def test_a_forked_child_records_nothing(self):
        pid = None
        try:
            with recorded("parent"):
                pid = os.fork()
                if pid:
                    os.waitpid(pid, 0)
        finally:
            if pid == 0:
                os._exit(0)
        self.assertEqual([("success", 0, None)], self.outcomes("parent"))
        self.assertFalse(self.spool.exists())

"""The statements that a signal cancels."""

import threading
import unittest

from canonical.database.signals import DeadlySignals


class TestCancelling(unittest.TestCase):

    def test_what_follows_once_a_signal_is_handled_is_not_cancelled(self):
        for is_handled in False, True:
            done = threading.Event()
            signals = DeadlySignals()
            signals.cancel = done.set
            if is_handled:
                signals._handled.set()
            signals._keep_cancelling(done)
            self.assertIs(not is_handled, done.is_set())

"""Suggesting a word for one that is not known."""

import unittest

from canonical.launchpad.nearest import nearest


class TestNearest(unittest.TestCase):

    def test_the_nearest_known_word(self):
        for word, said in (
            ("updaet-bugs", "; do you mean 'update-bugs'?"),
            ("garbo", ""), ("", ""),
        ):
            self.assertEqual(
                said, nearest(word, ["update-bugs", "update-mail"]))
        self.assertEqual("", nearest("garbo", []))

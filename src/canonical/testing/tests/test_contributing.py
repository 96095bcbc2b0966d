"""CONTRIBUTING.rst names modules that exist."""

import re
import unittest

from canonical.testing.tests.test_doctests import CHECKOUT


# A directory in a heading, and the right column of a row.
DIRECTORY = re.compile(r"``([a-z/]+/)``")
RIGHT = re.compile(r"^\S.*?  +(\S.*)$")

# What a cell may be relative to, beside the directories of its heading.
ANYWHERE = ("", "src/", "src/canonical/", "src/canonical/launchpad/")


class TestContributing(unittest.TestCase):

    def test_the_map_names_modules_that_exist(self):
        text = (CHECKOUT / "CONTRIBUTING.rst").read_text()
        _, _, text = text.partition("Where things live")
        text, _, _ = text.partition("Packages import each other")
        below = ()
        names, missing = 0, []
        for line in text.splitlines():
            if line.startswith("``") and DIRECTORY.match(line):
                below = DIRECTORY.findall(line)
                continue
            row = RIGHT.match(line)
            cells = row[1].replace("``", "").split(", ") if row else []
            for name in cells:
                if "..." in name or not re.fullmatch(r"[a-z./]+", name):
                    continue
                names += 1
                if not any(
                    (CHECKOUT / f"{start}{directory}{name}{suffix}").exists()
                    for start in ANYWHERE for directory in ("", *below)
                    for suffix in ("", ".py")
                ):
                    missing.append(name)
        self.assertEqual([], missing)
        self.assertLess(80, names)

"""What does a backtest of 200 rules over 90 days and 1,000,000 runs cost?

In turn: a replay in a running process, the whole command, and the mere reading
of the runs.  With BENCH=quick it covers the last 7 days.  Then it prints the
greatest memory of the command.
"""

import datetime
import os
import random
import resource
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from zope.component import getUtility


sys.path.insert(0, str(Path(__file__).parent))

from common import goal
from common import interleaved
from common import print_environment
from common import print_table
from common import rounds

from canonical.database.sqlbase import initZopeless
from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.monitor.registry import registered_cases
from canonical.launchpad.monitor.registry import registered_expectations
from canonical.launchpad.monitor.replay import replay_all
from canonical.launchpad.monitor.rulesfile import load_expectations
from canonical.launchpad.monitor.schedule import slots_of_period
from canonical.launchpad.monitor.states import HORIZON
from canonical.testing import PostgresLayer
from canonical.testing import in_layer


SKEW = datetime.timedelta(minutes=1)
AT = datetime.datetime(2007, 4, 1, tzinfo=datetime.UTC)
DAYS = 90
COMMAND = "import sys; from canonical.launchpad.command.main import main;" \
    " sys.exit(main())"

# By the minutes between two runs: the number of scripts, and the attribute of
# their rules.
SCRIPTS = {
    5: (15, 'schedule="*/5 * * * *"'),
    10: (25, 'schedule="*/10 * * * *"'),
    15: (16, 'schedule="{}-59/15 * * * *"'),
    60: (80, 'schedule="{} * * * *"'),
    30: (24, 'every="30m"'),
    1440: (40, 'schedule="{} 2 * * *"'),
}
AVERAGES = ["..4m", "1s..2h", "learned"]

# One run in a hundred is missing, and one in a hundred is late.
FILL = """
    INSERT INTO scriptactivity (name, hostname, date_started, date_completed)
    SELECT ?, 'host', started, started + interval '1 min' * random()
    FROM (
        SELECT due + interval '20 min' * (random() < 0.01)::integer
            + interval '2 s' * random() AS started
        FROM generate_series(
            ?::timestamptz, ?::timestamptz, interval '1 min' * ?) AS due
        WHERE random() > 0.01
    ) AS run
"""


def fill(path):
    """Write rules, and the runs of their scripts."""
    random.seed(2007)
    lines = []
    for minutes, (count, rule) in SCRIPTS.items():
        for number in range(count):
            name = f"every-{minutes}-{number}"
            minute = number % min(minutes, 60)
            lines.append(
                f'<lp:script name="{name}" {rule.format(minute)} missed="3"'
                f' average="{random.choice(AVERAGES)}" />')
            start = AT - datetime.timedelta(days=DAYS) + (
                minute * datetime.timedelta(minutes=1) * ("{" in rule))
            main_store().execute(FILL, (name, start, AT, minutes))
    initZopeless().commit()
    PostgresLayer._execute("VACUUM ANALYZE scriptactivity")
    path.write_text(
        '<configure xmlns="http://namespaces.zope.org/zope"'
        ' xmlns:lp="http://namespaces.canonical.com/lp">\n'
        '<include package="canonical.launchpad" file="meta.zcml" />\n'
        '<lp:downtime schedule="30 3 * * 0" for="1h" />\n'
        + "\n".join(lines) + "\n</configure>\n")


def read(since):
    history = getUtility(IScriptHistorySet)
    return sum(
        len(history.getRuns(name, since, AT))
        for name in history.getNames(since, AT))


def replayed(since):
    slots_of_period.cache_clear()
    cases = registered_cases(
        registered_expectations(), since - HORIZON, AT, SKEW)
    return sum(
        len(alarms) for _, alarms in replay_all(cases, since, AT))


def main():
    path = Path(tempfile.mkdtemp()) / "expectations.zcml"
    fill(path)
    load_expectations(path)
    days = rounds(DAYS, 7)
    since = AT - datetime.timedelta(days=days)
    command = [
        sys.executable, "-c", COMMAND, "backtest", "--json", "--since",
        f"{days}d", "--at", AT.isoformat(), "--expectations", path]
    print(f"{days} days of {read(since):,} runs: {replayed(since):,} alerts")
    taken = interleaved({
        "a replay": partial(replayed, since),
        "the whole command": partial(
            subprocess.run, command, stdout=subprocess.DEVNULL, check=True),
        "reading the runs": partial(read, since),
    }, 3)
    print_table("A replay of history", taken, "a replay")
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    goal("the greatest memory of the command", used, 200, " MB")
    print_environment()


if __name__ == "__main__":
    os.environ.pop("LPCONFIG", None)
    in_layer(main)

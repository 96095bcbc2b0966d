"""What the tests of the pages share."""

import datetime
import textwrap
import unittest
from pathlib import Path

from pyramid.request import Request
from storm.tracer import install_tracer
from storm.tracer import remove_all_tracers
from zope.component import getUtility

from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptRuleSet
from canonical.launchpad.interfaces import Output
from canonical.launchpad.interfaces import SeenRule
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.launchpad.webapp.access import Access
from canonical.launchpad.webapp.application import make_application
from canonical.testing import LaunchpadZopelessLayer
from canonical.testing import PostgresLayer


AT = datetime.datetime(2007, 2, 1, 10, 30, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
HOUR = 60 * MINUTE


class WebTestCase(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def setUp(self):
        self.factory = LaunchpadObjectFactory()
        PostgresLayer.state_directory.mkdir()
        self.rules = Path(PostgresLayer.state_directory) / "rules.zcml"
        self.access = Access(None)
        self.now = AT
        self.write_rules()

    def write_rules(self, *rules):
        """Write a rules file; each rule is the attributes of lp:script."""
        lines = "\n".join(f"<lp:script {rule} />" for rule in rules)
        self.rules.write_text(textwrap.dedent(f"""\
            <configure xmlns="http://namespaces.zope.org/zope"
                       xmlns:lp="http://namespaces.canonical.com/lp">
              <include package="canonical.launchpad" file="meta.zcml" />
              {lines}
            </configure>
            """))

    def run_at(self, name, ago=MINUTE, took=MINUTE, hostname="host"):
        """Record a success that started some time before `AT`."""
        self.factory.makeScriptActivity(name, hostname, AT - ago, took)

    def see_at(self, name, hostname, schedule, ago=24 * HOUR):
        """Record that a rule was first seen some time before `AT`."""
        getUtility(IScriptRuleSet).recordSeen(
            [SeenRule(name, hostname, f"{schedule} UTC")], AT - ago)

    def fail_at(
        self, name, ago=MINUTE, reason="oops", output=None, hostname="host"
    ):
        attempts = getUtility(IScriptAttemptSet)
        key = attempts.begin(name, None, AT - ago, hostname)
        attempts.end(
            key, "failure", AT - ago + MINUTE, 1, reason,
            output and Output("", output))

    def commit(self):
        ZopelessTransactionManager._installed.commit()

    def application(self, refresh=3600):
        self.commit()
        application = make_application(
            self.rules, self.access, refresh, lambda: self.now)
        self.addCleanup(application.registry.keeper.close)
        return application

    def get(self, path, application=None, status=200, headers=(), **environ):
        request = Request.blank(
            path, environ={"REMOTE_ADDR": "127.0.0.1", **environ},
            headers=dict(headers))
        response = request.get_response(application or self.application())
        self.assertEqual(status, response.status_int, response.text[-500:])
        return response


class Statements:
    """A context that counts the statements of all threads."""

    def __enter__(self):
        self.texts = []
        install_tracer(self)
        return self

    def __exit__(self, *exc_info):
        remove_all_tracers()

    def connection_raw_execute(self, connection, cursor, text, parameters):
        self.texts.append(text)

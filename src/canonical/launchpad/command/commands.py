"""The commands: what each is for, how to call it, and where to find it.

The build imports this too, to make the man pages.  So it imports nothing that
has to be installed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

from canonical.launchpad.command import options
from canonical.launchpad.command import ruleoptions
from canonical.launchpad.command import upkeepoptions
from canonical.launchpad.command import weboptions
from canonical.launchpad.command.interrupt import UNKNOWN
from canonical.launchpad.command.runoptions import add_run_options


__all__ = [
    "COMMANDS",
    "Command",
    "MONITORS",
    "UNKNOWN",
    "VERSION",
]


VERSION = "0.1.dev0"


class Command(NamedTuple):
    """A command.

    :ivar help, description: what it does, in a few words, and in sentences.
    :ivar examples: what to type, each with what it is for.
    :ivar module: a module of this package.
    :ivar function: of that module; it takes the arguments, and returns an exit
        status.
    :ivar add_options: to its parser, if it takes any.
    :ivar database: does it need a store to work with?
    :ivar only_reads: may this store be a replica?
    :ivar trouble: the exit status for wrong use.
    :ivar limit: what may last a few minutes only: "all" of it; or, if it works
        long, each wait for "locks"; or what it limits on its "own".
    """

    help: str
    description: str
    examples: dict[str, str]
    module: str
    function: str
    add_options: Callable[[argparse.ArgumentParser], None] | None = None
    database: bool = True
    only_reads: bool = False
    trouble: int = 2
    limit: str = "all"


COMMANDS = {
    "init": Command(
        "make or upgrade the tables",
        "Makes the tables, or brings older ones up to date.  No row is lost,"
        " and tables that are up to date are not locked.  With URI or"
        " --embedded it also writes a configuration file that names the"
        " database, and prints a line for a crontab.",
        {"scriptactivity init postgresql://me@db.example.com/app":
         "begin: write a configuration file, and make the tables",
         "scriptactivity init --grant scripts=app --grant monitor=ops":
         "let two roles do what they need"},
        "init", "init", options.add_init_options, database=False),
    "config": Command(
        "show what is configured, and check it",
        "Prints every value in force and where it comes from, and checks the"
        " database, its tables, the rights of the role, the rules, the"
        " directories and the servers.  The exit status is 0, or 2 if"
        " something is wrong.",
        {"scriptactivity config": "what is configured, and what is wrong",
         "scriptactivity config --json": "for a program"},
        "config", "show_config", options.add_config_options, database=False),
    "list": Command(
        "print the last success and failure of each script",
        "Prints the last success of each script on each host, and what fails"
        " or runs now.  \"running since\" means that its process was seen"
        " on this machine.  A run on another machine \"has not reported its"
        " end\": it may run, or may have ended without a record.",
        {"scriptactivity list": "all scripts",
         "scriptactivity list --json": "for a program"},
        "history", "list_scripts", options.add_list_options),
    "show": Command(
        "print everything about a script",
        "Prints the rule of a script and where it is written, the answers to"
        " the three questions, the last runs, the last failures with their"
        " whole reasons, what runs now, open alerts and pauses.",
        {"scriptactivity show tidy-uploads": "why is it late?",
         "scriptactivity show --tag billing": "all scripts with a tag"},
        "show", "show", options.add_show_options),
    "running": Command(
        "print what runs now, and for how long",
        "Prints what runs now, since when, and its usual duration.  A run"
        " that \"has not reported its end\" may run on another machine, or may"
        " have ended without a record.",
        {"scriptactivity running": "what runs now",
         "scriptactivity running --local": "in local time"},
        "running", "running", options.add_list_options),
    "failures": Command(
        "print what failed, and why",
        "Prints the latest failures: when, how and why, and how many in a"
        " row.",
        {"scriptactivity failures --since 12h": "what failed tonight",
         "scriptactivity failures tidy-uploads --limit 5":
         "the last five failures of one script"},
        "history", "failures", options.add_failures_options),
    "last": Command(
        "print when scripts last succeeded",
        "Prints the last success of a script, or of each script.",
        {"scriptactivity last tidy-uploads": "of one script",
         "scriptactivity last tidy-uploads --host loganberry":
         "of one script on one host"},
        "history", "last", options.add_last_options),
    "check": Command(
        "compare scripts with their rules",
        "Compares scripts with their rules: did each run recently, and as"
        " often as it should, and is its average runtime sensible?  The worst"
        " come first.  The exit status is 0 if all is well, 1 for a warning, 2"
        " if something is critical, and 3 if nothing is known.",
        {"scriptactivity check": "all scripts",
         "scriptactivity check --nagios": "as a plugin of Nagios"},
        "check", "check", options.add_check_options, only_reads=True,
        trouble=UNKNOWN),
    "crontab": Command(
        "generate rules from crontabs",
        "Prints rules for what crontabs start.  A line that becomes no rule is"
        " a comment there, and a line on standard error.  With --wrap it"
        " prints a crontab whose commands are run by \"scriptactivity run\"."
        "  The exit status is 0, or 1 if a line was not understood or not"
        " wrapped, or 2 if a file could not be read.",
        {"scriptactivity crontab /etc/crontab /etc/cron.d > rules.zcml":
         "rules for the crontabs of the system",
         "crontab -l | scriptactivity crontab --wrap - > wrapped":
         "your own crontab; install the result with: crontab wrapped"},
        "crontab", "crontab", ruleoptions.add_crontab_options, database=False),
    "timers": Command(
        "generate rules from timers of systemd",
        "Prints rules for what timers start.  A timer that becomes no rule is"
        " a comment there, and a line on standard error.  The exit status is"
        " 0, or 1 if a timer was not understood, or 2 if a file could not be"
        " read or systemctl failed.",
        {"scriptactivity timers > rules.zcml": "all timers of this machine",
         "scriptactivity timers /etc/systemd/system/*.timer > rules.zcml":
         "only your own"},
        "timers", "timers", ruleoptions.add_timers_options, database=False),
    "suggest": Command(
        "infer rules from past runs",
        "Prints rules that fit the past runs of scripts, with the evidence in"
        " comments.  \"check --expectations\" reads them.",
        {"scriptactivity suggest > rules.zcml": "rules for all scripts",
         "scriptactivity suggest tidy-uploads --since 90d":
         "one script, from a longer history"},
        "suggest", "suggest", ruleoptions.add_suggest_options, limit="locks"),
    "backtest": Command(
        "print the incidents that rules would have found in past runs",
        "Prints each incident that the rules would have opened over past runs,"
        " and when it would have closed.  With --against, it prints the"
        " incidents of one rules file only, and \"only\" says of which:"
        " \"expectations\" or \"against\".",
        {"scriptactivity backtest --expectations new.zcml": "try new rules",
         "scriptactivity backtest --against new.zcml":
         "what new rules would change"},
        "backtest", "backtest", ruleoptions.add_backtest_options,
        limit="locks"),
    "run": Command(
        "run any command, and record it",
        "Runs a command as a cron script is run: its start, its end and the"
        " end of what it prints are recorded.  The exit status is the"
        " command's own; 124 after --timeout; 126 or 127 if it cannot be"
        " started; and 1 if --lock finds it locked.  The command runs even if"
        " nothing can be recorded.",
        {"scriptactivity run backup -- pg_dump -f app.sql app":
         "in a line of a crontab",
         "scriptactivity run --quiet --timeout 2h backup -- ./backup.sh":
         "mail only if it fails, or takes more than two hours"},
        "run", "run", add_run_options, database=False),
    "output": Command(
        "print what a command printed",
        "Prints the kept output of a command that \"scriptactivity run\" ran."
        "  What the command wrote to standard error goes to standard error.",
        {"scriptactivity output backup": "of the last run",
         "scriptactivity output backup --run 42":
         "of another; \"show\" prints the numbers"},
        "output", "output", options.add_kept_options),
    "alert": Command(
        "notify people of what broke and what recovered",
        "Notifies people of which scripts broke, which recovered and, after"
        " [monitor] repeat, which are still broken.  cron should run it every"
        " few minutes.",
        {"*/5 * * * * scriptactivity alert": "a line of a crontab",
         "scriptactivity alert -v": "by hand, with more output"},
        "alert", "alert", options.add_alert_options, database=False),
    "alerts": Command(
        "print what is broken, and who was notified",
        "Prints what is broken, since when, and when people were notified.",
        {"scriptactivity alerts": "all open alerts",
         "scriptactivity alerts --json": "for a program"},
        "openalerts", "alerts", options.add_list_options),
    "snooze": Command(
        "expect nothing of a script for a while",
        "From now on, nothing is expected of a script for a while.",
        {"scriptactivity snooze tidy-uploads --for 8h": "until the morning",
         "scriptactivity snooze tidy-uploads --for 0s": "no longer"},
        "snooze", "snooze", options.add_snooze_options),
    "serve": Command(
        "serve pages that people look at",
        "Serves pages that show all scripts on one time axis, the past runs"
        " of each, and incidents, and the same for programs.  It only reads."
        "  It listens on this machine alone, unless [web] token_file or"
        " trusted_proxy says who may look.",
        {"scriptactivity serve": "on http://127.0.0.1:8080/",
         "scriptactivity serve --listen 0.0.0.0:8080":
         "for others too; it needs a token or a proxy"},
        "serve", "serve", weboptions.add_serve_options, only_reads=True,
        limit="own"),
    "token": Command(
        "make a token for the pages",
        "Makes a token, by which a person or a program may look at the pages,"
        " and prints it once.  Only its hash is stored, in [web] token_file.",
        {"scriptactivity token ops": "a token for the operators",
         "scriptactivity token grafana": "another for a program"},
        "serve", "token", weboptions.add_token_options, database=False),
    "grafana": Command(
        "print a dashboard or alert rules for the metrics",
        "Prints a dashboard for Grafana, or alert rules for Prometheus, over"
        " the metrics of \"serve\" and of \"check --prometheus\".",
        {"scriptactivity grafana > dashboard.json": "a dashboard",
         "scriptactivity grafana --rules > scriptactivity.yml":
         "alert rules"},
        "grafana", "grafana", weboptions.add_grafana_options, database=False),
    "flush": Command(
        "record the successes that this host has spooled",
        "Records successes that are committed and not on record yet: those in"
        " the spool of this host, and those in the database.",
        {"scriptactivity flush": "record them now",
         "*/10 * * * * scriptactivity flush": "a line of a crontab"},
        "flush", "flush", limit="own"),
    "report": Command(
        "print what a month was like for each script",
        "Prints a line for each script: the scheduled runs that were due and"
        " met, and their share; successes and failures; the median and the"
        " 95th percentile of the durations of successes; incidents that"
        " opened, and the median time to recovery.  Pruned runs count too;"
        " then the median is that of the medians of days, and the 95th"
        " percentile is unknown.",
        {"scriptactivity report --month 2007-02": "the whole of February",
         "scriptactivity report --csv > month.csv": "this month, until now"},
        "report", "report", upkeepoptions.add_report_options, limit="locks"),
    "export": Command(
        "copy runs or attempts to a file",
        "Copies all successes, or all attempts that have ended, to a file of"
        " CSV or of JSON lines.  Any number of rows takes the same memory.",
        {"scriptactivity export runs.csv.gz": "all successes",
         "scriptactivity export --attempts --since 2007-02-01T00:00Z -":
         "attempts, to standard output"},
        "transfer", "export", upkeepoptions.add_export_options, limit="locks"),
    "import": Command(
        "add runs or attempts from files",
        "Adds successes and attempts that are not on record yet.  It can be"
        " interrupted and repeated: each run is there once.  It reads what"
        " \"export\" writes, dumps of the table scriptactivity by pg_dump,"
        " cron.job_run_details of pg_cron as CSV or as a dump, and pings from"
        " the API of Healthchecks.  The exit status is 0, or 1 if lines were"
        " wrong.",
        {"scriptactivity import runs.csv.gz": "what \"export\" has written",
         "scriptactivity import --name backup --host db1 pings.json":
         "pings of Healthchecks, which name neither script nor host"},
        "transfer", "import_", upkeepoptions.add_import_options, limit="own"),
    "prune": Command(
        "delete old runs, and keep their numbers",
        "Deletes runs and attempts that are older than --keep, in small"
        " batches, and keeps their numbers for each script, host and day:"
        " runs, failures, durations, and slots that were due and met.  The"
        " last 250 successes of a script on a host stay.  It is a cron script:"
        " its runs are recorded, and a rule for \"scriptactivity-prune\""
        " watches it.  It can be interrupted at any moment.",
        {"15 4 * * * scriptactivity prune": "a line of a crontab",
         "scriptactivity prune --keep 400d --keep-failures 3y":
         "the same, with the defaults written out"},
        "prune", "prune", upkeepoptions.add_prune_options, database=False),
}

MONITORS = {
    "script-monitor": (
        "Prints what did not complete in time, and mails it to [monitor]"
        " recipients.  The exit status is 0 if all completed, 2 if something"
        " did not, and 3 if nothing is known."),
    "script-monitor-nagios": (
        "Prints one line for Nagios that says what did not complete in time."
        "  The exit status is 0 if all completed, 2 if something did not, and"
        " 3 if nothing is known."),
}

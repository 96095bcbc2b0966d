"""Runs programs with standard streams that are closed, full or broken.

A process of its own, for `test_program`.  It reads cases from its argument,
and prints what became of each, as JSON.
"""

import io
import json
import os
import sys
import traceback

from canonical.launchpad.command import program


# Exit statuses of what should not have happened.
ESCAPED = 99
LOST_AT_EXIT = 120


def main():
    """Fork a child for each case: a program, its arguments, its streams."""
    found = []
    for function, arguments, streams in json.loads(sys.argv[1]):
        # As descriptors, which the child inherits.
        kept = [os.memfd_create("kept") for _ in streams]
        pid = os.fork()
        if pid == 0:
            _become(streams, kept)
            _run(function, arguments)
        _, status = os.waitpid(pid, 0)
        said = []
        for descriptor in kept:
            with open(descriptor, "rb") as file:
                file.seek(0)
                said.append(file.read().decode())
        found.append([os.waitstatus_to_exitcode(status), *said[1:]])
    print(json.dumps(found))


def _become(streams, kept):
    """Have standard streams of some kinds, as Python would make them."""
    for number, kind in enumerate(streams):
        name = ("stdin", "stdout", "stderr")[number]
        if kind == "closed":
            os.close(number)
            setattr(sys, name, None)
            continue
        if kind == "broken":
            reader, writer = os.pipe()
            os.close(reader)
        else:
            writer = (
                os.open("/dev/full", os.O_RDWR) if kind == "full"
                else os.dup(kept[number]))
        os.dup2(writer, number)
        os.close(writer)
        if number:
            setattr(sys, name, io.TextIOWrapper(
                io.BufferedWriter(io.FileIO(number, "w", closefd=False)),
                line_buffering=number == 2))


def _run(function, arguments):
    sys.argv = [function, *arguments]
    try:
        status = getattr(program, function)()
    except BaseException:
        # Where it can be seen, if it is to be found out.
        with open(os.environ["ESCAPED_TO"], "a") as file:
            traceback.print_exc(file=file)
        os._exit(ESCAPED)
    try:
        # As the interpreter does at its end.
        for stream in sys.stdout, sys.stderr:
            stream.flush()
    except OSError:
        status = LOST_AT_EXIT
    os._exit(status)


main()

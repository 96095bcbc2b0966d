"""The process of a command: its start, its signals, its end.

It has what `run` does with signals: which of them end the command, which are
passed on, and when SIGKILL follows.

Imported before the command starts, so it imports little.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import time
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple
from typing import NoReturn

from canonical.launchpad.scripts.streams import Stream


__all__ = [
    "CannotStart",
    "End",
    "Process",
    "die_of",
]


# What is passed on to the command.
PASSED_ON = {
    signal.SIGALRM, signal.SIGCONT, signal.SIGHUP, signal.SIGINT,
    signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP, signal.SIGUSR1,
    signal.SIGUSR2, signal.SIGWINCH,
}

# What a terminal sends to all of its foreground group, and a shell to a job.
OF_JOB_CONTROL = {signal.SIGCONT, signal.SIGTSTP}

# Whoever sends one of these wants an end.
ENDING = {signal.SIGINT, signal.SIGTERM}

# What Python ignores in every process.
IGNORED = {signal.SIGPIPE, signal.SIGXFSZ}

# Longer than any command runs, in seconds.
FOREVER = 1e8

# The exit statuses of env(1) and timeout(1).
NOT_EXECUTABLE = 126
NOT_FOUND = 127


class CannotStart(Exception):
    """The command cannot be started; the text says why.

    :ivar status: what env(1) would exit with.
    """

    def __init__(self, command: str, error: OSError):
        super().__init__(f"cannot start {command!r}: {error.strerror}")
        self.status = NOT_FOUND if error.errno in (
            errno.ENOENT, errno.ENOTDIR) else NOT_EXECUTABLE


class End(NamedTuple):
    """How a command has ended.

    :ivar code: its exit status, or the negative number of a signal.
    :ivar is_timed_out: whether it took too long.
    :ivar is_forced: whether it had to be killed.
    """

    code: int
    is_timed_out: bool
    is_forced: bool


class Process:
    """A command that runs, and gets the signals that this process gets.

    Under a terminal it is in our process group, so that Ctrl-C and the job
    control of shells work.  Elsewhere it has a group of its own, and all of
    that gets the signals.

    Whoever makes one has no other threads yet: those inherit which signals
    are left to `wait`.
    """

    def __init__(self) -> None:
        self._streams: Sequence[Stream] = ()
        self._has_group = not _has_terminal()
        self._kill_at = FOREVER
        self._is_forced = False
        passed_on = PASSED_ON if self._has_group else (
            PASSED_ON - OF_JOB_CONTROL)
        # One that is ignored, as nohup does with SIGHUP, stays so.
        self._awaited = {signal.SIGCHLD} | {
            signum for signum in passed_on
            if signal.getsignal(signum) != signal.SIG_IGN}
        # Otherwise the kernel would forget how the command has ended.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._mask = signal.pthread_sigmask(
            signal.SIG_BLOCK, self._awaited)

    def start(
        self,
        command: Sequence[str],
        variables: Mapping[str, str],
        streams: Sequence[Stream],
        closed: Iterable[int],
    ) -> None:
        """Start the command.

        :param command: at least its name.
        :param variables: to add to its environment.
        :param streams: that it writes to, instead of ours.
        :param closed: standard descriptors that it finds closed.
        :raises CannotStart: if it cannot be started.
        """
        self._streams = streams
        actions = [
            *((os.POSIX_SPAWN_DUP2, stream.target, stream.number)
              for stream in streams),
            *((os.POSIX_SPAWN_CLOSE, number) for number in closed)]
        group = {"setpgroup": 0} if self._has_group else {}
        try:
            self._pid = _spawn(
                command, {**os.environ, **variables}, file_actions=actions,
                setsigmask=self._mask, setsigdef=IGNORED, **group)
        except OSError as error:
            raise CannotStart(command[0], error) from None
        finally:
            for stream in streams:
                os.close(stream.target)

    def wait(self, timeout: float | None, kill_after: float) -> End:
        """Wait for its end, and pass signals on.

        :param timeout: seconds after which it gets SIGTERM, if any.
        :param kill_after: seconds from a signal that should end it to
            SIGKILL.
        """
        started = time.monotonic()
        end_at = started + (FOREVER if timeout is None else timeout)
        is_timed_out = False
        options = os.WNOHANG | (os.WUNTRACED if self._has_group else 0)
        while True:
            pid, status = os.waitpid(self._pid, options)
            if pid and not os.WIFSTOPPED(status):
                return End(
                    os.waitstatus_to_exitcode(status), is_timed_out,
                    self._is_forced)
            if pid:
                self._stop_too()
                continue
            now = time.monotonic()
            if now >= self._kill_at:
                self._kill_at = FOREVER + now
                self._is_forced = True
                self._send(signal.SIGKILL)
            elif now >= end_at:
                end_at = FOREVER + now
                is_timed_out = True
                self._send(signal.SIGTERM)
                self._send(signal.SIGCONT)
                self._kill_at = min(self._kill_at, now + kill_after)
            info = signal.sigtimedwait(
                self._awaited, max(0, min(end_at, self._kill_at) - now))
            if info is not None and info.si_signo != signal.SIGCHLD:
                self._pass_on(info, kill_after)

    def _pass_on(
        self, info: signal.struct_siginfo, kill_after: float
    ) -> None:
        signum = signal.Signals(info.si_signo)
        if signum == signal.SIGWINCH:
            for stream in self._streams:
                if stream.is_terminal:
                    stream.copy_size()
        elif not self._has_group and info.si_code > 0:
            # The terminal has sent it to the command as well.
            return
        self._send(signum)
        if signum in ENDING:
            self._kill_at = min(
                self._kill_at, time.monotonic() + kill_after)

    def _send(self, signum: int) -> None:
        try:
            if self._has_group:
                os.killpg(self._pid, signum)
            else:
                os.kill(self._pid, signum)
        except (PermissionError, ProcessLookupError):
            # It has become another user, or is a zombie.
            pass

    def _stop_too(self) -> None:
        """Stop as the command has; go on together."""
        os.kill(os.getpid(), signal.SIGSTOP)
        self._send(signal.SIGCONT)


def _has_terminal() -> bool:
    """Does a terminal control this process?"""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _spawn(
    command: Sequence[str], environment: Mapping[str, str], **how: object
) -> int:
    try:
        return os.posix_spawnp(
            command[0], command, environment, **how)  # type: ignore[arg-type]
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
    # A script without #! is the shell's, as for execvp(3) and env(1).
    import shutil
    path = shutil.which(command[0]) or command[0]
    return os.posix_spawn(
        "/bin/sh", ["/bin/sh", path, *command[1:]],
        environment, **how)  # type: ignore[arg-type]


def die_of(signum: int) -> NoReturn:
    """End this process by a signal, and leave no core of it."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, most))
    if signum != signal.SIGKILL:
        signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signum})
    os._exit(128 + signum)

"""A network that can be cut, between a script and PostgreSQL."""

import contextlib
import os
import shutil
import socket
import tempfile
import threading


NAME = ".s.PGSQL.5432"


class CommitCutter:
    """Passes messages between clients and the server, up to a COMMIT.

    :param cluster: the directory of the server's socket.
    :param number: which COMMIT, over all connections.
    :param when: ``before`` it reaches the server, or ``after``, when the
        answer is on its way; or ``never``: it is swallowed, and nothing
        comes back.
    :param for_good: let nobody connect from then on.
    :ivar directory: of the proxy's own socket.
    """

    def __init__(self, cluster, number, when, for_good=False):
        self.cluster = cluster
        self.number = number
        self.when = when
        self.for_good = for_good
        self.commits = 0
        self.has_cut = False
        self.sockets = []

    def __enter__(self):
        self.directory = tempfile.mkdtemp(prefix="scriptactivity-proxy-")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{self.directory}/{NAME}")
        # Clients check that the socket belongs to the user of the server.
        os.seteuid(os.stat(self.cluster).st_uid)
        try:
            self.listener.listen()
        finally:
            os.seteuid(os.getuid())
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *exc_info):
        for each in [self.listener, *self.sockets]:
            self.close(each)
        shutil.rmtree(self.directory)

    def close(self, each):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.socket(socket.AF_UNIX)
                self.sockets += [client, server]
                if self.has_cut and self.for_good:
                    self.close(client)
                    continue
                try:
                    server.connect(f"{self.cluster}/{NAME}")
                except OSError:
                    self.close(client)
                    continue
                stop_answers = threading.Event()
                for target in (
                    lambda c=client, s=server, e=stop_answers:
                        self.pass_questions(c, s, e),
                    lambda c=client, s=server, e=stop_answers:
                        self.pass_answers(c, s, e),
                ):
                    threading.Thread(target=target, daemon=True).start()

    def pass_questions(self, client, server, stop_answers):
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                cut = False
                if b"COMMIT\0" in data:
                    self.commits += 1
                    cut = self.commits == self.number
                if cut:
                    self.has_cut = True
                    stop_answers.set()
                    if self.when == "never":
                        continue
                if not cut or self.when == "after":
                    server.sendall(data)
                if cut and self.when == "before":
                    break
        self.close(server)
        self.close(client)

    def pass_answers(self, client, server, stop_answers):
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if stop_answers.is_set():
                    break
                client.sendall(data)
        if not (stop_answers.is_set() and self.when == "never"):
            self.close(client)
            self.close(server)


class CommitStriker(CommitCutter):
    """Injects a fault of the server around a COMMIT.

    Later answers of the server are still passed on.  The fault may change
    `cluster` for later connections.

    :param when: ``before`` the COMMIT is passed on, once it is ``sent``, or
        once it is ``answered``.
    :param strike: a function of no arguments.
    """

    def __init__(self, cluster, number, when, strike):
        super().__init__(cluster, number, when)
        self.strike = strike
        self.striking = threading.Lock()

    def __exit__(self, *exc_info):
        with self.striking:
            super().__exit__(*exc_info)

    def pass_questions(self, client, server, answered):
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                strikes = False
                if b"COMMIT\0" in data:
                    self.commits += 1
                    strikes = self.commits == self.number
                self.has_cut |= strikes
                if strikes and self.when == "answered":
                    answered.set()
                if strikes and self.when != "answered":
                    with self.striking:
                        if self.when == "sent":
                            server.sendall(data)
                        self.strike()
                if not strikes or self.when != "sent":
                    server.sendall(data)
        self.close(server)
        self.close(client)

    def pass_answers(self, client, server, answered):
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if answered.is_set():
                    answered.clear()
                    with self.striking:
                        client.sendall(data)
                        self.strike()
                else:
                    client.sendall(data)
        self.close(client)
        self.close(server)

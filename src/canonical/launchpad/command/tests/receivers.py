"""A real mail server and a real webhook, on ports of their own."""

import http.server
import json
import socket
import threading

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message


class MailServer(Message):
    """Keeps what it receives.

    :ivar answer: what it says to the end of a mail, if not that it is fine.
    :ivar refused: what it says to recipients that it does not accept.
    :ivar before: is called before a mail is taken.

    :param options: of `aiosmtpd.controller.Controller`.
    """

    def __init__(self, **options):
        super().__init__()
        self.received = []
        self.answer = None
        self.refused = {}
        self.before = lambda: None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, **options)
        self._controller.start()

    def stop(self):
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.before()
        if self.answer is not None:
            return self.answer
        return await super().handle_DATA(server, session, envelope)

    def handle_message(self, message):
        self.received.append(message)

    def texts(self):
        return [
            message.get_payload(decode=True).decode().replace("\r\n", "\n")
            for message in self.received]


class Webhook:
    """Keeps what is posted to it.

    :ivar status: what it answers with.
    :ivar words: and what it says of that; by default what HTTP does.
    :ivar gets: the paths that were asked for.
    :ivar headers: those of the last request.
    """

    def __init__(self):
        webhook = self
        self.received = []
        self.gets = []
        self.headers = {}
        self.status = 200
        self.words = None

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                webhook.headers = self.headers
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if webhook.status // 100 == 2:
                    webhook.received.append(json.loads(body))
                self.send_response(webhook.status, webhook.words)
                if webhook.status in (301, 302):
                    self.send_header("Location", webhook.url + "moved")
                self.end_headers()

            def do_GET(self):
                webhook.headers = self.headers
                webhook.gets.append(self.path)
                self.send_response(
                    200 if self.path == "/moved" else webhook.status)
                self.end_headers()

            def log_message(self, *args):
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(
            target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

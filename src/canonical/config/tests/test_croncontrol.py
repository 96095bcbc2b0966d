"""The file in which cron scripts are switched off."""

import http.server
import logging
import os
import socket
import tempfile
import threading
import unittest
from pathlib import Path

from canonical.config import croncontrol
from canonical.config.croncontrol import cronscript_enabled
from canonical.config.croncontrol import switches


class ControlTestCase(unittest.TestCase):

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        self.path = self.directory / "cron.ini"

    def ask(self, url=None, name="garbo"):
        """The answer, and what was logged: (level, text)."""
        with self.assertLogs("control", logging.DEBUG) as logs:
            logger = logging.getLogger("control")
            logger.debug("asked")
            answer = cronscript_enabled(
                url or str(self.path), name, self.directory, logger)
        return answer, [
            (record.levelname, record.getMessage())
            for record in logs.records[1:]]


class TestFiles(ControlTestCase):

    def read(self, text, name="garbo"):
        self.path.write_bytes(
            text if isinstance(text, bytes) else text.encode())
        answer, logs = self.ask(name=name)
        self.assertEqual([], logs, text)
        return answer

    def mistake(self, text):
        """The text of the one ERROR about a file.  The script runs."""
        self.path.write_bytes(
            text if isinstance(text, bytes) else text.encode())
        answer, logs = self.ask()
        self.assertTrue(answer)
        (level, message), = logs
        self.assertEqual("ERROR", level)
        self.assertNotIn("\n", message)
        start = f"The cron control file at {self.path} is ignored, and garbo" \
            " runs: "
        self.assertTrue(message.startswith(start), message)
        return message.removeprefix(start)

    def test_a_section_of_the_scripts_name_decides(self):
        text = "[DEFAULT]\nenabled = true\n[garbo]\nenabled = false\n"
        self.assertFalse(self.read(text))
        self.assertTrue(self.read(text, name="other"))

    def test_the_default_decides_where_there_is_no_section(self):
        text = "[DEFAULT]\nenabled = false\n[garbo]\nenabled = true\n[x]\n"
        self.assertTrue(self.read(text))
        self.assertFalse(self.read(text, name="other"))
        self.assertFalse(self.read(text, name="x"))

    def test_who_is_not_mentioned_is_on(self):
        for text in "", "[DEFAULT]\n", "[other]\nenabled = false\n", "\n# x\n":
            self.assertTrue(self.read(text))

    def test_every_way_to_write_no_and_yes(self):
        for word in "false", "False", "NO", "off", "0":
            self.assertFalse(self.read(f"[garbo]\nenabled = {word}\n"), word)
            self.assertFalse(self.read(f"[garbo]\nEnabled:{word}"), word)
        for word in "true", "Yes", "on", "1":
            self.assertTrue(self.read(f"[garbo]\nenabled = {word}\n"), word)

    def test_a_comment_after_the_word(self):
        for comment in " ; until Monday", " # until Monday", "\t; x":
            self.assertFalse(
                self.read(f"[garbo]\nenabled = False{comment}\n"))

    def test_a_byte_order_mark(self):
        self.assertFalse(self.read(b"\xef\xbb\xbf[garbo]\nenabled = no\n"))

    def test_lines_that_end_as_on_windows(self):
        self.assertFalse(self.read("[garbo]\r\nenabled = no\r\n"))

    def test_spaces_in_brackets_and_text_after_them(self):
        self.assertFalse(self.read("[ garbo ] ; nightly\nenabled = no\n"))

    def test_names_with_spaces_and_per_cent_signs(self):
        for name in "tidy up 100%", "größer", "a:b", "%(enabled)s":
            self.assertFalse(self.read(f"[{name}]\nenabled = no\n", name))

    def test_two_sections_of_a_name_that_say_the_same(self):
        for name in "garbo", "DEFAULT":
            self.assertFalse(self.read(
                f"[{name}]\nenabled = no\n[x]\n[{name}]\nenabled = no\n"))

    def test_two_sections_of_a_name_that_do_not(self):
        for name in "garbo", "DEFAULT":
            for first, second in ("yes", "no"), ("no", "yes"):
                self.assertEqual(
                    f"[{name}] occurs twice, with different values",
                    self.mistake(f"[{name}]\nenabled = {first}\n[x]\n"
                                 f"[{name}]\nenabled = {second}\n"))

    def test_a_word_that_is_neither(self):
        for word in "maybe", "100%", "", "%(no)s":
            self.assertEqual(
                f"[garbo] enabled: neither true nor false: {word!r}",
                self.mistake(f"[garbo]\nenabled = {word}\n"))

    def test_a_key_that_means_nothing(self):
        self.assertEqual(
            "[garbo] enable: the only key is 'enabled'",
            self.mistake("[garbo]\nenable = false\n"))

    def test_what_is_no_ini_file(self):
        for text in "enabled = false\n", "[garbo]\nenabled\n", "[garbo\n":
            self.assertTrue(self.mistake(text))
        self.assertIn("can't decode", self.mistake(b"[garbo]\n\xff\xfe=\n"))

    def test_what_is_far_too_long(self):
        self.assertIn("more than 1000000 bytes", self.mistake("#" * 1000001))

    def test_a_mistake_about_another_script_is_not_ours(self):
        self.assertFalse(self.read(
            "[garbo]\nenabled = no\n[other]\nenabled = maybe\n"))

    def test_a_file_that_is_missing(self):
        answer, logs = self.ask()
        self.assertTrue(answer)
        self.assertEqual(
            [("DEBUG", f"There is no cron control file at {self.path}")],
            logs)

    def test_a_file_that_is_a_directory(self):
        self.path.mkdir()
        answer, ((level, message),) = self.ask()
        self.assertTrue(answer)
        self.assertEqual("ERROR", level)
        self.assertIn("Is a directory", message)

    def test_a_name_without_a_directory_is_beside_the_configuration(self):
        self.path.write_text("[garbo]\nenabled = no\n")
        for url in "cron.ini", "file:cron.ini", f"file://{self.path}", \
                f"file:{self.path}", f"file://localhost{self.path}":
            self.assertEqual((False, []), self.ask(url), url)

    def test_a_name_with_escapes_in_a_url(self):
        (self.directory / "a b.ini").write_text("[garbo]\nenabled = no\n")
        for url in "a b.ini", "file:a%20b.ini":
            self.assertEqual((False, []), self.ask(url), url)

    def test_no_url_means_that_all_are_on(self):
        self.assertTrue(cronscript_enabled(
            "", "garbo", self.directory, logging.getLogger("control")))

    def switches(self, *names):
        logger = logging.Logger("of-this-test", logging.CRITICAL)
        return switches(str(self.path), names, self.directory, logger)

    def test_what_is_on_and_off_and_not_known(self):
        self.path.write_text(
            "[off]\nenabled = no\n[other]\nenabled = maybe\n")
        self.assertEqual(
            {"off": False, "on": True}, self.switches("off", "other", "on"))

    def test_nothing_is_known_if_there_is_no_reading_it(self):
        self.path.write_text("neither this nor that")
        self.assertEqual({}, self.switches("garbo"))
        self.path.unlink()
        self.path.mkdir()
        self.assertEqual({}, self.switches("garbo"))

    def test_all_are_on_if_there_is_none(self):
        self.assertEqual(
            {"one": True, "two": True}, self.switches("one", "two"))

    def test_the_name_of_a_script_forges_no_line(self):
        self.path.mkdir()
        answer, ((_, message),) = self.ask(name="a\n\x1b[31mb")
        self.assertTrue(answer)
        self.assertIn(r"a \x1b[31mb runs: Is a directory", message)

    def test_no_password_is_said(self):
        for url in (
            "ftp://me:S3CRET@example.com/x", "me:S3CRET@example.com/x",
            "my_name:S3CRET@example.com/x", "my_name:S3CRET",
            "//me:S3CRET@example.com/x",
            "file://me:S3CRET@example.com/x", "http://me:S3CRET@[::1/",
            "http://me:S3CRET@localhost:1/", "http://localhost:S3CRET/",
            "http://localhost:1/?token=S3CRET", "http://localhost:1/S3CRET/\xf6",
            "http:///S3CRET", "https:S3CRET", "http://localhost:1/\x1bS3CRET",
            "http://a..b/S3CRET",
        ):
            answer, ((_, message),) = self.ask(url)
            self.assertTrue(answer, url)
            self.assertNotIn("S3CRET", message, url)

    def test_a_url_that_is_none_of_those(self):
        for url, words in (
            ("ftp://example.com/x",
             "expected a file:, http: or https: URL, not ftp:"),
            ("file://example.com/x", "a file: URL must not name a host"),
        ):
            answer, ((level, message),) = self.ask(url)
            self.assertTrue(answer)
            self.assertEqual("ERROR", level)
            self.assertIn(words, message)

    def test_a_file_that_never_ends_is_given_up(self):
        os.mkfifo(self.path)
        self.give_up()
        # Let the thread end that still waits for the answer.
        os.close(os.open(self.path, os.O_WRONLY))

    def give_up(self):
        timeout, croncontrol.TIMEOUT = croncontrol.TIMEOUT, 0.2
        try:
            answer, ((level, message),) = self.ask()
        finally:
            croncontrol.TIMEOUT = timeout
        self.assertTrue(answer)
        self.assertEqual("ERROR", level)
        self.assertIn("no answer within 0.2 s", message)

    def test_five_seconds_are_the_limit(self):
        self.assertEqual(5, croncontrol.TIMEOUT)


class TestServers(ControlTestCase):

    def serve(self, status, text="", length=None, words=None):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status, words)
                if status == 302:
                    self.send_header("Location", f"file:{text}")
                if length is not None:
                    self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *args):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.addCleanup(server.server_close)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}/cron.ini"

    def test_what_a_server_says(self):
        self.assertEqual(
            (False, []),
            self.ask(self.serve(200, "[garbo]\nenabled = no\n")))

    def test_neither_a_page_nor_a_reason_is_quoted(self):
        for status, text in (
            (200, "<html>\n<a href='?token=S3CRET'>\n"),
            (200, "[x]\nS3CRET\n"), (500, "S3CRET"), (302, "S3CRET"),
        ):
            answer, ((level, message),) = self.ask(
                self.serve(status, text, words="\x1b[2J to S3CRET"))
            self.assertEqual((True, "ERROR"), (answer, level))
            self.assertNotIn("S3CRET", message)
            self.assertNotIn("\x1b", message)

    def test_an_answer_that_is_cut_off(self):
        answer, ((level, message),) = self.ask(
            self.serve(200, "[DEFAULT]\n", length=500))
        self.assertEqual((True, "ERROR"), (answer, level))
        self.assertIn("the response ends 490 bytes too early", message)

    def test_a_url_that_makes_no_sense(self):
        for url in "http://localhost:91x/", "http://local host/", "http://":
            answer, ((level, _),) = self.ask(url)
            self.assertEqual((True, "ERROR"), (answer, level), url)

    def test_a_server_that_talks_nonsense(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            def talk():
                client, _ = server.accept()
                with client:
                    client.recv(1000)
                    client.sendall(b"garbage\r\n")

            thread = threading.Thread(target=talk)
            thread.start()
            answer, ((level, message),) = self.ask(
                f"http://127.0.0.1:{server.getsockname()[1]}/")
            thread.join()
        self.assertEqual((True, "ERROR"), (answer, level))
        self.assertIn("its response is not HTTP", message)

    def test_a_page_that_is_missing(self):
        for status in 404, 410:
            answer, ((level, _),) = self.ask(self.serve(status))
            self.assertEqual((True, "DEBUG"), (answer, level))

    def test_a_server_that_is_in_trouble(self):
        answer, ((level, message),) = self.ask(self.serve(500))
        self.assertEqual((True, "ERROR"), (answer, level))
        self.assertIn("HTTP Error 500", message)

    def test_a_server_that_is_not_there(self):
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        answer, ((level, message),) = self.ask(f"http://127.0.0.1:{port}/x")
        self.assertEqual((True, "ERROR"), (answer, level))
        self.assertIn("Connection refused", message)

    def test_a_server_that_drips_is_given_up(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            stop = threading.Event()

            def drip():
                client, _ = server.accept()
                with client:
                    client.recv(1000)
                    client.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
                    while not stop.wait(0.05):
                        client.sendall(b"#")

            thread = threading.Thread(target=drip)
            thread.start()
            self.path = f"http://127.0.0.1:{server.getsockname()[1]}/"
            TestFiles.give_up(self)
            stop.set()
            thread.join()

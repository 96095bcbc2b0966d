"""Who may look, and what nobody sees."""

import base64
import logging

import psycopg2

from canonical.database.embedded import embedded_parameters
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import initZopeless
from canonical.launchpad.webapp.access import Access
from canonical.launchpad.webapp.access import TokenFile
from canonical.launchpad.webapp.access import hash_of
from canonical.launchpad.webapp.access import is_loopback
from canonical.launchpad.webapp.access import new_token
from canonical.launchpad.webapp.tests.support import HOUR
from canonical.launchpad.webapp.tests.support import WebTestCase
from canonical.testing import PostgresLayer


class TestAccess(WebTestCase):

    def setUp(self):
        super().setUp()
        self.write_rules('name="garbo" every="1h"')
        self.fail_at("garbo", HOUR, "disk full", "kept output")
        self.token = new_token()
        self.file = PostgresLayer.state_directory / "tokens"
        self.file.write_text(f"ops sha256:{hash_of(self.token)}\n")
        self.tokens = TokenFile(self.file)

    def basic(self, password, name="anybody"):
        text = base64.b64encode(f"{name}:{password}".encode()).decode()
        return {"Authorization": f"Basic {text}"}

    def test_without_access_control_this_machine_may_look_and_no_other(self):
        application = self.application()
        self.get("/", application)
        self.get("/", application, headers={"Host": "localhost:8080"})
        self.get("/", application, REMOTE_ADDR="::1")
        self.get("/", application, 403, REMOTE_ADDR="192.0.2.1")
        self.get("/", application, 403, {"Host": "rebound.example.com"})

    def test_a_token_lets_look(self):
        self.access = Access(self.tokens)
        application = self.application()
        for headers in (
            self.basic(self.token), {"Authorization": f"Bearer {self.token}"}
        ):
            page = self.get(
                "/scripts/garbo", application, 200, headers,
                REMOTE_ADDR="192.0.2.1").text
            self.assertIn("kept output", page)

    def test_without_a_token_nothing_is_shown(self):
        self.access = Access(self.tokens)
        application = self.application()
        for headers in (
            {}, self.basic(""), self.basic(self.token[:-1]),
            self.basic(hash_of(self.token)), {"Authorization": "Bearer "},
            {"Authorization": "Basic ?"}, {"Authorization": "Basic \xff"},
            {"Authorization": "Basic /w=="}, {"Authorization": "Digest x"},
            {"Remote-User": "ops"},
        ):
            for path in (
                "/", "/scripts/garbo", "/scripts/nope", "/api/scripts",
                "/metrics", "/feed", "/badge/garbo.svg", "/nope",
            ):
                response = self.get(path, application, 401, headers)
                self.assertIn("Basic", response.headers["WWW-Authenticate"])
                self.assertNotIn("garbo", response.text)
        self.get("/health", application)

    def test_a_token_that_is_taken_away_ends_at_once(self):
        self.access = Access(self.tokens)
        application = self.application()
        text = self.file.read_text()
        self.get("/", application, 200, self.basic(self.token))
        self.file.write_text("")
        self.get("/", application, 401, self.basic(self.token))
        self.file.write_text(text)
        self.get("/", application, 200, self.basic(self.token))
        self.file.unlink()
        self.get("/", application, 401, self.basic(self.token))

    def test_a_token_in_place_of_another_is_the_only_one(self):
        self.assertEqual("ops", self.tokens.holder(self.token))
        token = new_token()
        other = self.file.with_name("other")
        # As many bytes as before.
        other.write_text(f"ops sha256:{hash_of(token)}\n")
        other.replace(self.file)
        self.assertIsNone(self.tokens.holder(self.token))
        self.assertEqual("ops", self.tokens.holder(token))

    def test_a_line_with_more_than_a_hash_is_no_token(self):
        self.file.write_text(f"ops sha256:{hash_of(self.token)}0\n")
        self.assertIsNone(self.tokens.holder(self.token))

    def test_a_wrong_token_is_refused_whomever_a_proxy_names(self):
        self.access = Access(self.tokens, "127.0.0.1")
        application = self.application()
        for headers in (
            self.basic("wrong"), {"Authorization": "Basic ?"},
            {"Authorization": "Basic /w=="},
        ):
            self.get("/", application, 401, {"Remote-User": "mary", **headers})

    def test_only_the_proxy_that_is_named_names_users(self):
        self.access = Access(None, "192.0.2.7")
        application = self.application()
        user = {"Remote-User": "mary"}
        page = self.get(
            "/scripts/garbo", application, 200, user,
            REMOTE_ADDR="192.0.2.7").text
        self.assertNotIn("kept output", page)
        self.assertIn("shown to those who have a token", page)
        self.get("/", application, 401, user, REMOTE_ADDR="192.0.2.8")
        self.get("/", application, 401, user)
        self.get("/", application, 401, {"Remote-User": ""},
                 REMOTE_ADDR="192.0.2.7")

    def test_a_server_around_the_application_may_name_users(self):
        self.access = Access(self.tokens)
        self.get("/", REMOTE_USER="mary", REMOTE_ADDR="192.0.2.1")

    def test_output_is_not_shown_without_a_token(self):
        page = self.get("/scripts/garbo").text
        self.assertIn("disk full", page)
        self.assertNotIn("kept output", page)

    def test_what_one_viewer_sees_is_not_kept_for_another(self):
        self.access = Access(self.tokens, "127.0.0.1")
        application = self.application()
        seen = self.get(
            "/scripts/garbo", application, 200, self.basic(self.token))
        self.assertIn("kept output", seen.text)
        other = self.get(
            "/scripts/garbo", application, 200, {"Remote-User": "mary"})
        self.assertNotIn("kept output", other.text)
        self.get(
            "/scripts/garbo", application, 200,
            {"Remote-User": "mary", "If-None-Match": seen.headers["ETag"]})

    def test_only_hashes_are_kept(self):
        self.assertNotIn(self.token, self.file.read_text())

    def test_addresses_of_this_machine(self):
        for host in "127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost":
            self.assertTrue(is_loopback(host), host)
        for host in "0.0.0.0", "::", "", "127.0.0.1.example.com", "10.0.0.1":
            self.assertFalse(is_loopback(host), host)


class TestHeaders(WebTestCase):

    def test_every_response_is_for_nobody_else(self):
        application = self.application()
        for path, status in (
            ("/", 200), ("/nope", 404), ("/api/scripts", 200),
            ("/?page=0", 400), ("/health", 200), ("/static/page.js", 200),
        ):
            headers = self.get(path, application, status).headers
            policy = headers["Content-Security-Policy"]
            self.assertIn("default-src 'none'", policy)
            self.assertIn("frame-ancestors 'none'", policy)
            self.assertNotIn("unsafe", policy)
            self.assertEqual("nosniff", headers["X-Content-Type-Options"])
            self.assertEqual("DENY", headers["X-Frame-Options"])
        for path in "/", "/api/scripts", "/metrics":
            self.assertIn("private", self.get(
                path, application).headers["Cache-Control"])

    def test_nothing_can_be_changed(self):
        application = self.application()
        for method in "POST", "PUT", "DELETE":
            page = self.get("/", application, 405, REQUEST_METHOD=method)
            self.assertIn("can only be read", page.text)

    def test_addresses_that_are_not_in_utf_8(self):
        application = self.application()
        for path in (
            "/?search=%ff", "/scripts/%ff", "/%ff", "/badge/%ff.svg",
        ):
            with self.assertNoLogs():
                response = self.get(path, application, 400)
            self.assertIn("not in UTF-8", response.text)

    def test_a_parameter_of_an_address_that_has_none(self):
        self.assertEqual(
            "There is no parameter 'x'.\n",
            self.get("/metrics?x=1", self.application(), 400).text)


class TestDatabase(WebTestCase):

    def test_a_role_that_may_only_select_is_enough(self):
        self.write_rules('name="garbo" every="1h"')
        self.run_at("garbo", HOUR)
        self.fail_at("garbo", HOUR)
        self.commit()
        connection = psycopg2.connect(
            **embedded_parameters(PostgresLayer.directory))
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute("CREATE ROLE reader LOGIN")
        cursor.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        ZopelessTransactionManager._installed.uninstall()
        try:
            initZopeless(dbuser="reader")
            application = self.application()
            for path in (
                "/", "/scripts/garbo", "/scripts/garbo?grace=1h", "/wall",
                "/incidents", "/feed", "/api/scripts", "/api/scripts/garbo",
                "/api/scripts/garbo/runs", "/api/incidents", "/metrics",
                "/ready", "/badge/garbo.svg",
            ):
                self.get(path, application)
            application.registry.keeper.close()
        finally:
            ZopelessTransactionManager._installed.uninstall()
            cursor.execute("DROP OWNED BY reader; DROP ROLE reader")
            connection.close()

    def test_a_failure_is_logged_and_not_shown(self):
        application = self.application()
        self.get("/", application)
        keeper = application.registry.keeper
        keeper.current = lambda: {}["surprise"]
        with self.assertLogs(level=logging.ERROR) as logged:
            response = self.get("/", application, 500)
        self.assertNotIn("surprise", response.text)
        self.assertNotIn("Traceback", response.text)
        self.assertIn("surprise", logged.output[0])

"""Mistakes in the values of configuration keys."""

from canonical.config import ConfigError
from canonical.config import LaunchpadConfig
from canonical.config.tests.test_config import ConfigTestCase


class TestValues(ConfigTestCase):

    def assert_wrong(self, section, key, value, why):
        self.assertEqual(
            f"line 2: [{section}] {key}: {why}",
            self.mistake(f"[{section}]\n{key}: {value}\n"))

    def test_ports(self):
        for value in "", "x", "0", "65536", "-1", "25 ":
            if value.strip() != "25":
                for section, key in ("monitor", "smtp_port"), (
                        "statsd", "port"):
                    self.assert_wrong(
                        section, key, value,
                        f"not a number from 1 to 65535: {value!r}")

    def test_where_to_listen(self):
        right = "; expected something like 127.0.0.1:8080"
        for value, why in (
            (":80", f"not an address with a port: ':80'{right}"),
            ("http://h:80", f"not an address with a port: a URL{right}"),
            ("h:", "not a number from 0 to 65535: ''"),
            ("h:65536", "not a number from 0 to 65535: '65536'"),
        ):
            self.assert_wrong("web", "listen", value, why)

    def test_addresses(self):
        right = "; expected something like ops@example.com"
        for key in "recipients", "sender":
            self.assert_wrong(
                "monitor", key, "ops", f"not an address: 'ops'{right}")
            # The URL of a mail server may have a password in it.
            self.assert_wrong(
                "monitor", key, "smtp://me:secret@example.com",
                f"not an address: a URL{right}")
        self.assert_wrong(
            "monitor", "recipients", "a@b, c", f"not an address: 'c'{right}")
        self.assert_wrong(
            "monitor", "sender", "", f"not an address: ''{right}")

    def test_addresses_that_are_right(self):
        path = self.write(
            "[monitor]\nrecipients: a@b, Ops <ops@example.com>,\n"
            "sender: cron@example.com (the scripts)\n")
        self.assertTrue(LaunchpadConfig(str(path)).monitor)

    def test_hosts(self):
        self.assert_wrong("monitor", "smtp_host", "", "it is empty")
        for section, key in ("monitor", "smtp_host"), ("statsd", "host"):
            self.assert_wrong(
                section, key, "a b", "not the name of a host: 'a b'")
            self.assert_wrong(
                section, key, "https://me:secret@host",
                "not the name of a host: a URL")

    def test_hosts_that_are_right(self):
        for host in "mail.example.com", "127.0.0.1", "::1", "fe80::1%eth0":
            path = self.write(f"[monitor]\nsmtp_host: {host}\n")
            self.assertEqual(
                host, LaunchpadConfig(str(path)).monitor.smtp_host)

    def test_urls_are_not_quoted(self):
        for key in "webhook_url", "heartbeat_url":
            for url in "ftp://secret", "https://me:secret@host/", "https://":
                message = self.mistake(f"[monitor]\n{key}: {url}\n")
                self.assertTrue(message.startswith(
                    f"line 2: [monitor] {key}: not an http: or https: URL"))
                self.assertNotIn("secret", message)

    def test_encryption(self):
        self.assert_wrong(
            "monitor", "smtp_tls", "tls",
            "not one of starttls, implicit and off: 'tls'")

    def test_a_user_of_the_mail_server_needs_a_password(self):
        self.assertEqual(
            "line 2: [monitor] smtp_user: it needs a password; name its file"
            " in smtp_password_file",
            self.mistake_lines("[monitor]", "smtp_user: me"))

    def test_a_password_does_not_cross_the_network_unencrypted(self):
        lines = (
            "[monitor]", "smtp_password_file: password", "smtp_user: me",
            "smtp_host: smtp.example.com")
        self.assertEqual(
            "line 3: [monitor] smtp_user: the password would cross the"
            " network unencrypted; set smtp_tls to starttls or implicit",
            self.mistake_lines(*lines))
        for right in (
            [*lines, "smtp_tls: starttls"], [*lines, "smtp_tls: implicit"],
            [*lines[:3], "smtp_host: localhost"],
        ):
            path = self.write("\n".join(right))
            self.assertEqual(
                "me", LaunchpadConfig(str(path)).monitor.smtp_user)

    def test_the_keys_of_a_login_may_be_in_two_files(self):
        self.write(
            "[monitor]\nsmtp_user: me\nsmtp_password_file: x\n", "base.conf")
        path = self.write(
            "[meta]\nextends: base.conf\n[monitor]\nsmtp_host: far\n")
        with self.assertRaises(ConfigError) as caught:
            LaunchpadConfig(str(path)).monitor
        self.assertTrue(str(caught.exception).startswith(
            f"{self.directory}/base.conf: line 2: [monitor] smtp_user: "))

    def test_durations(self):
        for section, key in (
            ("scripts", "record_timeout"), ("scripts", "commit_timeout"),
            ("monitor", "clock_skew"), ("monitor", "repeat"),
        ):
            message = self.mistake(f"[{section}]\n{key}: soon\n")
            self.assertTrue(message.startswith(
                f"line 2: [{section}] {key}: not a duration: 'soon'"), message)

    def test_directories(self):
        self.assert_wrong("scripts", "lock_directory", "", "it is empty")
        self.assert_wrong(
            "scripts", "spool_directory", "~nobody-at-all/x",
            "there is no such user: '~nobody-at-all/x'")
        for section, key in (
            ("monitor", "expectations"), ("monitor", "smtp_password_file"),
            ("web", "token_file"),
        ):
            self.assert_wrong(
                section, key, "~nobody-at-all/x",
                "there is no such user: '~nobody-at-all/x'")

    def test_sizes(self):
        digits = "9" * 5000
        self.assert_wrong(
            "run", "keep_output", digits,
            f"not a size: '{digits}'; expected something like 10kB, or 0")

    def test_the_line_is_that_of_the_section(self):
        self.assertEqual(
            "line 4: [statsd] port: not a number from 1 to 65535: 'x'; line 5:"
            " [statsd] has no key portt; do you mean 'port'?",
            self.mistake_lines(
                "[monitor]", "smtp_port: 25", "[statsd]", "port: x",
                "portt: 25"))

    def mistake_lines(self, *lines):
        return self.mistake("\n".join(lines) + "\n")

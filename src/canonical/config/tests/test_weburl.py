"""URLs that may hold a secret."""

import unittest
import urllib.request
from http.client import BadStatusLine
from http.client import InvalidURL
from urllib.error import HTTPError
from urllib.error import URLError

from canonical.config.weburl import WebError
from canonical.config.weburl import is_web_url
from canonical.config.weburl import site_of
from canonical.config.weburl import without_secrets


class TestURL(unittest.TestCase):

    def test_what_urllib_can_ask(self):
        for url, site in (
            ("http://localhost/x", "http://localhost/"),
            ("https://hooks.example.com:8443/a/S3CRET?b=S3CRET#S3CRET",
             "https://hooks.example.com:8443/"),
            ("HTTPS://hooks.example.com", "https://hooks.example.com/"),
            ("http://[::1]:80/", "http://[::1]:80/"),
        ):
            self.assertTrue(is_web_url(url), url)
            self.assertEqual(site, site_of(url))

    def test_what_it_cannot(self):
        for url in (
            "", "x", "//host/x", "ftp://host/x", "http:x", "http:///x",
            "http://me@host/x", "http://me:S3CRET@host/x", "http://host:x/",
            "http://host:0/", "http://host:65536/", "http://[::1/",
            "http://a b/", "http://host/a b", "http://host/\x1b", "http://host/\xf6",
            "http://host/\u2028", "http://a..b/", f"http://{'a' * 64}/",
        ):
            self.assertFalse(is_web_url(url), url)


class TestWithoutSecrets(unittest.TestCase):

    def said(self, error):
        with self.assertRaises(WebError) as caught, without_secrets():
            raise error
        self.assertTrue(caught.exception.__suppress_context__)
        return str(caught.exception)

    def test_neither_urls_nor_the_words_of_a_server_are_quoted(self):
        for error, text in (
            (HTTPError("http://x/S3CRET", 302, "to S3CRET", {}, None),
             "HTTP Error 302: Found"),
            (HTTPError("http://x/S3CRET", 799, "S3CRET", {}, None),
             "HTTP Error 799: unknown"),
            (BadStatusLine("POST /S3CRET"), "its response is not HTTP"),
            (InvalidURL("nonnumeric port: 'S3CRET'"), "InvalidURL"),
            (ValueError("unknown url type: 'S3CRET'"), "ValueError"),
            (URLError("unknown url type: S3CRET"), "URLError"),
            (URLError(ConnectionRefusedError(111, "Connection refused")),
             "Connection refused"),
            (URLError(OSError("Tunnel connection failed: 407 S3CRET")),
             "the proxy answered 407"),
            (TimeoutError("timed out"), "TimeoutError"),
        ):
            self.assertEqual(text, self.said(error))

    def test_a_proxy_that_makes_no_sense(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler(
            {"http": "http:S3CRET"}))
        with self.assertRaises(WebError) as caught, without_secrets():
            opener.open("http://localhost/")
        self.assertNotIn("S3CRET", str(caught.exception))

"""Settings: what is read, and what is said of what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from iotcenter import config
from iotcenter.config import Config, ConfigError, load_config
from iotcenter.transports.tls import TLSSettings


class ConfigTests(SynchronousTestCase):
    """A flag wins over the file, the file over the default; a mistake is one line."""

    def load(self, text: str = "", **flags: str) -> Config:
        """The configuration of a file with ``text``."""
        path = Path(self.mktemp())
        path.write_text(text)
        return load_config(path, flags, {"tls": TLSSettings})

    def complaint(self, text: str = "", **flags: str) -> str:
        """What is said of ``text``."""
        with self.assertRaises(ConfigError) as caught:
            self.load(text, **flags)
        self.assertNotIn("\n", str(caught.exception))
        return str(caught.exception)

    def test_defaults(self) -> None:
        """Nothing needs to be set; plain HTTP is for this machine alone."""
        config = load_config(None, {}, {"tls": TLSSettings})
        self.assertEqual((config.web.http, config.web.https), ("127.0.0.1:8080", "8443"))
        self.assertEqual(config.transports["tls"], TLSSettings(listen="9998", heartbeat=10.0))

    def test_what_wins(self) -> None:
        """The file over the default, a flag over the file."""
        config = self.load('[tls]\nlisten = "1"\nheartbeat = 60\n[web]\nhttp = "off"', tls="2", https="3")
        self.assertEqual(config.transports["tls"], TLSSettings(listen="2", heartbeat=60.0))
        self.assertEqual((config.web.http, config.web.https), ("off", "3"))

    def test_unknown_keys_are_named(self) -> None:
        """With those that there are."""
        self.assertIn("unknown key gps; allowed: backup, files, log, ssh, storage, tls, web", self.complaint("[gps]"))
        self.assertEqual(
            self.complaint("[tls]\nheartbeet = 3"), "unknown key tls.heartbeet; allowed: listen, heartbeat"
        )

    def test_wrong_values(self) -> None:
        """The key, what was found, and what is allowed."""
        self.assertEqual(self.complaint("[tls]\nheartbeat = 0.1"), "tls.heartbeat is 0.1: expected `float` >= 1.0")
        self.assertEqual(self.complaint("[web]\nhttp = 8080"), "web.http is 8080: expected `str`, got `int`")
        self.assertEqual(
            self.complaint('[log]\nlevel = "loud"'), "log.level is 'loud': allowed: debug, info, warning, error"
        )
        self.assertEqual(
            self.complaint("[storage]\ncommit_every = 61"), "storage.commit_every is 61: expected `float` <= 60.0"
        )
        self.assertIn("tls is 3; it must be a table: [tls]", self.complaint("tls = 3"))

    def test_wrong_listeners(self) -> None:
        """Each is checked before anything is opened."""
        for text in ("", "host", "70000", "a b:1", ":1"):
            self.assertIn("web.https: ", self.complaint(https=text))

    def test_a_certificate_needs_its_key(self) -> None:
        """One without the other is a mistake."""
        self.assertIn("go together", self.complaint('[web]\ncertificate = "c.pem"'))

    def test_names(self) -> None:
        """A name by which the web is reached is a host's name or an address, and nothing that could end up in a line of
        shell."""
        good = ["center.example.org", "192.0.2.1", "2001:db8::1", "pi"]
        self.assertEqual(self.load(f"[web]\nnames = {good}").web.names, tuple(good))
        for name in ("", "a b", "a;reboot", "https://a", "a/b", "-a", "*.example.org", "a\n", "x" * 300):
            self.assertIn(f"web.names: {name!r} is neither", self.complaint(f"[web]\nnames = [{json.dumps(name)}]"))

    def test_backups_need_a_directory(self) -> None:
        """Where they are made by themselves, it must be said where to put them."""
        self.assertIn("backup.directory is missing", self.complaint("[backup]\nevery = 24"))

    def test_no_toml(self) -> None:
        """A file that cannot be read, or is no TOML."""
        self.assertIn("line 2", self.complaint("a = 1\nb b"))
        with self.assertRaises(ConfigError) as caught:
            load_config(Path("/nowhere/iotcenter.toml"), {}, {})
        self.assertEqual(str(caught.exception), "/nowhere/iotcenter.toml: No such file or directory")
        self.assertIn("too long for a configuration", self.complaint("#" * config.MAX_FILE + "\n"))
        for text in ("a = 1" + "0" * 10_000, "a = " + "[" * 100_000):
            self.assertIn(": ", self.complaint(text))

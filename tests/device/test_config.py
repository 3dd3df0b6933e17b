"""What iotdevice.toml may say, and what small files promise."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import iotcenter
from iotdevice import __version__
from iotdevice.apps import EXAMPLE, app_file, start_app
from iotdevice.config import (
    MAX_FILE,
    Address,
    ConfigError,
    Settings,
    SpoolSettings,
    data_directory,
    load_settings,
    parse_address,
    with_server,
)
from iotdevice.credentials import BadCredentials, load_credentials, save_credentials
from iotdevice.enrollment import STARTER
from iotdevice.files import write_atomically
from iotdevice.lock import DataLock, Locked, holder
from tests.device.authority import DEVICE, SmallAuthority
from tests.device.support import Case

ROOT = Path(__file__).parents[2]


class SettingsTests(Case):
    """What iotdevice.toml may say."""

    def load(self, text: str) -> Settings:
        """What the agent makes of ``text``."""
        folder = self.folder()
        (folder / "iotdevice.toml").write_text(text)
        return load_settings(folder)

    def test_defaults(self) -> None:
        """The server's address is all that is needed."""
        settings = self.load('server = "center.example:9998"')
        self.assertEqual(settings, Settings(server="center.example:9998"))
        self.assertEqual((settings.spool.sync, settings.allow_reboot, settings.ssh.ports), (1.0, False, (22,)))

    def test_all(self) -> None:
        """Everything can be set."""
        text = 'server = "c"\ntransport = "tls"\napp = "my.py"\nheartbeat = 300\nallow_reboot = true\n'
        text += '[spool]\nsync = "always"\nmegabytes = 5\ndays = 2\n[ssh]\nenabled = false\nports = [22, 80]\n'
        settings = self.load(text)
        self.assertEqual((settings.app, settings.heartbeat, settings.allow_reboot), ("my.py", 300.0, True))
        self.assertEqual(settings.spool, SpoolSettings("always", 5, 2.0))
        self.assertEqual((settings.ssh.enabled, settings.ssh.ports), (False, (22, 80)))

    def test_errors(self) -> None:
        """A wrong setting is named in one line, with what was found and what may stand there."""
        for text, problem in (
            ('server = "c"\nbeat = 3', "beat: there is no such setting; there are server, transport, app"),
            (
                'server = "c"\n[spool]\nsize = 3',
                "spool.size: there is no such setting; there are sync, meg",
            ),
            ('server = "c"\nheartbeat = "soon"', "heartbeat: Expected `float`, got `str`, found 'soon'"),
            ('server = "c"\n[spool]\nmegabytes = 0', "spool.megabytes: Expected `int` >= 1, found 0"),
            ('server = "c"\ntransport = "smoke"', "transport: Invalid enum value 'smoke', found 'smoke'"),
            ('server = "c"\n[ssh]\nports = [0]', "ssh.ports.0: Expected `int` >= 1, found 0"),
            ('server = "c"\nspool = 3', "spool: Expected `object`, got `int`, found 3"),
            ("", "server: '' is not an address"),
            ('server = "c', "Unterminated string"),
            ("#" * MAX_FILE + "\n", "too long for a configuration"),
            ("a = 1" + "0" * 10_000, "iotdevice.toml: "),
            ("a = " + "[" * 100_000, "iotdevice.toml: "),
        ):
            with self.assertRaises(ConfigError) as error:
                self.load(text)
            self.assertIn(problem, str(error.exception))
            self.assertEqual(len(str(error.exception).splitlines()), 1)

    def test_missing(self) -> None:
        """A file that is not there is an error in words."""
        self.assertRaises(ConfigError, load_settings, self.folder())

    def test_addresses(self) -> None:
        """A server is a name or an address, with a port or without."""
        for text, address in (
            ("center.example", Address("center.example", 9998)),
            ("center.example:1", Address("center.example", 1)),
            ("10.0.0.1:80", Address("10.0.0.1", 80)),
            ("[fe80::1]:9998", Address("fe80::1", 9998)),
        ):
            self.assertEqual(parse_address(text), address)
            self.assertEqual(parse_address(str(address)), address)
        for text in ("", "a b", "x:0", "x:65536", "x:y", "::1", 'x"', "x\n", "http://x"):
            self.assertRaises(ConfigError, parse_address, text)

    def test_starter(self) -> None:
        """The file that an enrollment writes is valid, as it is and with every line of it turned on."""
        text = with_server(STARTER, Address("c", 1))
        self.assertEqual(self.load(text), Settings(server="c:1"))
        turned_on = self.load(re.sub(r"(?m)^# (?=\[|\w+ = )", "", text))
        self.assertEqual((turned_on.heartbeat, turned_on.allow_reboot, turned_on.spool.sync), (300.0, True, "always"))

    def test_new_server(self) -> None:
        """Only the server's line changes, and none in another table is taken for it."""
        text = '[spool]\n# server = "no"\ndays = 1\n'
        self.assertEqual(with_server(text, Address("c", 1)), f'server = "c:1"\n{text}')
        self.assertEqual(with_server('a = 1\nserver="x"\nb = 2\n', Address("c", 1)), 'a = 1\nserver = "c:1"\nb = 2\n')

    def test_data_directory(self) -> None:
        """The flag wins over systemd's directory, and that over the one beside the user."""
        self.patch(os, "environ", {"STATE_DIRECTORY": "/var/lib/iotdevice:/other"})
        self.assertEqual(data_directory(None), Path("/var/lib/iotdevice"))
        self.assertEqual(data_directory("/x"), Path("/x"))
        self.patch(os, "environ", {})
        self.assertEqual(data_directory(None), Path.cwd() / "iotdevice-data")


class AppFileTests(Case):
    """Which application runs."""

    def test_choice(self) -> None:
        """The flag wins over the setting, that over the directory's own app.py, and that over the example."""
        folder = self.folder()
        self.assertEqual(app_file(folder, Settings(), None), EXAMPLE)
        self.assertEqual(start_app(folder), folder / "app.py")
        self.assertEqual(app_file(folder, Settings(), None), folder / "app.py")
        self.assertEqual(app_file(folder, Settings(app="my.py"), None), folder / "my.py")
        self.assertEqual(app_file(folder, Settings(app="/my.py"), "/flag.py"), Path("/flag.py"))

    def test_start_app(self) -> None:
        """The application to start from is the example, and never overwrites the owner's."""
        folder = self.folder()
        start_app(folder)
        self.assertEqual((folder / "app.py").read_text(), (ROOT / "device" / "app.py").read_text())
        (folder / "app.py").write_text("mine")
        self.assertIsNone(start_app(folder))
        self.assertEqual((folder / "app.py").read_text(), "mine")

    def test_version(self) -> None:
        """The agent bears the server's version: they are released together."""
        self.assertEqual(__version__, iotcenter.__version__)


class LockTests(Case):
    """One agent on a data directory."""

    def test_second(self) -> None:
        """A second one is refused with the number of the first, and gets in when that is gone."""
        folder = self.folder()
        script = (
            "import sys; from pathlib import Path; from iotdevice.lock import DataLock\n"
            "lock = DataLock(Path(sys.argv[1])); print('locked', flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as first:
            assert first.stdout is not None
            first.stdout.readline()
            with self.assertRaises(Locked) as error:
                DataLock(folder)
            self.assertEqual(str(error.exception), f"{folder} is in use by process {first.pid}")
            self.assertEqual(holder(folder), first.pid)
            first.kill()
        DataLock(folder).release()
        self.assertIsNone(holder(folder))


class FileTests(Case):
    """Files that a power cut does not tear."""

    def test_mode(self) -> None:
        """A secret is for its owner's eyes only, whatever was there before."""
        path = self.folder() / "key"
        path.write_text("old")
        path.chmod(0o644)
        write_atomically(path, b"new")
        self.assertEqual((path.read_bytes(), stat.S_IMODE(path.stat().st_mode)), (b"new", 0o600))
        self.assertEqual([entry.name for entry in path.parent.iterdir()], ["key"])

    def test_leftover(self) -> None:
        """What a power cut left of an earlier try does not stand in the way."""
        path = self.folder() / "key"
        path.with_name(".key.new").write_text("half")
        write_atomically(path, b"new")
        self.assertEqual(path.read_bytes(), b"new")


class CredentialsTests(Case):
    """What a device proves itself with."""

    def test_round_trip(self) -> None:
        """What is kept comes back, and shows no key."""
        folder = self.folder()
        self.assertIsNone(load_credentials(folder))
        credentials = SmallAuthority().credentials()
        save_credentials(folder, credentials)
        loaded = load_credentials(folder)
        assert loaded is not None
        self.assertEqual((loaded.certificate, loaded.root), (credentials.certificate, credentials.root))
        self.assertEqual(repr(loaded), f"Credentials(device={DEVICE})")

    def test_damaged(self) -> None:
        """A damaged file is an error that says what to do."""
        folder = self.folder()
        save_credentials(folder, SmallAuthority().credentials())
        path = folder / "identity.pem"
        for content in (b"", path.read_bytes()[:300], b"\xff" * 100):
            path.write_bytes(content)
            with self.assertRaises(BadCredentials) as error:
                load_credentials(folder)
            self.assertIn("enroll this device again", str(error.exception))

    def test_due(self) -> None:
        """A certificate is due for renewal when two thirds of its life are over."""
        credentials = SmallAuthority().credentials(ends=100, starts=200)
        self.assertAlmostEqual(credentials.due, credentials.expires - 100, delta=1)

    def test_renewed(self) -> None:
        """A new certificate is taken only for the same key, from the same root, for the same device, and if it lasts
        longer."""
        authority = SmallAuthority()
        old = authority.credentials()
        self.assertGreater(old.renewed(authority.device(old.request(), ends=1e6)).expires, old.expires)
        for der, problem in (
            (b"nonsense", "does not decode"),
            (authority.device(authority.credentials().request(), ends=1e6), "for another key"),
            (SmallAuthority().device(old.request(), ends=1e6), "not signed by this device's root"),
            (authority.device(old.request(), device="f" * 32, ends=1e6), "for another device"),
            (authority.device(old.request(), device="../../etc", ends=1e6), "names no device"),
            (authority.device(old.request(), ends=60), "ends no later"),
        ):
            with self.assertRaises(BadCredentials) as error:
                old.renewed(der)
            self.assertIn(problem, str(error.exception))
